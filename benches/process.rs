//! What is measured runs as a process of its own: started here, looked at through `/proc`, and ended with the run.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A child process.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).spawn().expect("the program starts");
        Self { child }
    }

    /// Takes a pipe to the child's standard output.
    pub(crate) fn output(&mut self) -> std::process::ChildStdout {
        self.child.stdout.take().expect("the output is a pipe")
    }

    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_none()
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> f64 {
        let status = self.read("status");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("a running process has VmRSS");
        let kib: f64 = line
            .split_whitespace()
            .nth(1)
            .and_then(|it| it.parse().ok())
            .expect("VmRSS is a number");
        kib * 1024.0
    }

    /// Processor seconds used so far, in the program and for it in the kernel.
    pub(crate) fn processor(&self) -> f64 {
        let stat = self.read("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // Fields 14 and 15, of which the first two are cut off; in ticks, of which Linux shows 100 a second.
        let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("the process runs")
    }

    /// Ends it as a service manager would, and waits for that.
    pub(crate) fn stop(&mut self) {
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(20);
        while told.is_ok() && self.runs() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits for the file in which the bridge writes its addresses.
pub(crate) fn addresses(process: &mut Process, file: &Path, log: &Path) -> impl Fn(&str) -> SocketAddr + use<> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let lines = loop {
        if let Ok(lines) = fs::read_to_string(file) {
            break lines;
        }
        assert!(
            process.runs() && Instant::now() < deadline,
            "the bridge does not start, see {}",
            log.display()
        );
        std::thread::sleep(Duration::from_millis(20));
    };
    move |key| {
        let value = lines.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.and_then(|it| it.parse().ok()).expect("the address is written")
    }
}
