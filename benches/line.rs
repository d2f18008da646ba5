//! One keep-alive HTTP connection with one request in flight, as Synapse has it. Written by hand and blocking, so that
//! what it costs itself is small and the same for everybody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The connection.
pub(crate) struct Line {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Line {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        Self {
            stream,
            answer: Vec::new(),
        }
    }

    /// Sends a request and waits for its whole answer. Returns the status.
    pub(crate) fn call(&mut self, request: &[u8]) -> u16 {
        self.stream.write_all(request).expect("the server reads");
        self.answer.clear();
        let mut chunk = [0; 8192];
        loop {
            let read = self.stream.read(&mut chunk).expect("the server answers in time");
            assert!(read > 0, "the server hung up");
            self.answer.extend_from_slice(&chunk[..read]);
            if let Some(status) = whole(&self.answer) {
                return status;
            }
        }
    }
}

/// The status of an answer that is there to its end.
fn whole(answer: &[u8]) -> Option<u16> {
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end])
        .expect("a head is text")
        .to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    if answer.len() < end + 4 + length.unwrap_or(0) {
        return None;
    }
    head.split(' ').nth(1)?.parse().ok()
}

/// A PUT request, ready to be sent.
pub(crate) fn put(path: &str, token: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
