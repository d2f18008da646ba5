//! An answer of the bridge, and what can be demanded of it.

use serde_json::{Value, json};

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The request, for messages.
    pub(crate) what: String,
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// 200 and an empty object, as the specification wants it for everything that has nothing to say.
    #[track_caller]
    pub(crate) fn is_accepted(&self) {
        assert_eq!(
            self.json_with_status(200),
            json!({}),
            "{}: the body of a 200",
            self.what
        );
    }

    /// 200 and this JSON.
    #[track_caller]
    pub(crate) fn found(&self) -> Value {
        self.json_with_status(200)
    }

    /// One of these status codes with a Matrix error.
    #[track_caller]
    pub(crate) fn is_refused(&self, statuses: &[u16]) -> String {
        let shown = self.shown();
        assert!(statuses.contains(&self.status), "wanted one of {statuses:?}: {shown}");
        let body = self.json_with_status(self.status);
        let errcode = body["errcode"]
            .as_str()
            .unwrap_or_else(|| panic!("an error has an errcode: {shown}"));
        assert!(!errcode.is_empty(), "an errcode is not empty: {shown}");
        let error = body["error"]
            .as_str()
            .unwrap_or_else(|| panic!("an error has a text under `error`: {shown}"));
        assert!(!error.is_empty(), "the text of an error is not empty: {shown}");
        errcode.to_owned()
    }

    /// This status code with this `errcode`.
    #[track_caller]
    pub(crate) fn is_error(&self, status: u16, errcode: &str) {
        assert_eq!(self.is_refused(&[status]), errcode, "errcode: {}", self.shown());
    }

    /// 401 or 403, as an error that does not claim the path to be unknown.
    #[track_caller]
    pub(crate) fn is_unauthorised(&self) {
        let errcode = self.is_refused(&[401, 403]);
        assert_ne!(
            errcode,
            "M_UNRECOGNIZED",
            "the token is wrong, not the path: {}",
            self.shown()
        );
    }

    /// An array of the things found, or that there are none: `[]` and 404 `M_NOT_FOUND` both say so.
    #[track_caller]
    pub(crate) fn lists(&self) -> Vec<Value> {
        if self.status == 404 {
            self.is_error(404, "M_NOT_FOUND");
            return Vec::new();
        }
        let body = self.json_with_status(200);
        body.as_array()
            .unwrap_or_else(|| panic!("wanted an array: {}", self.shown()))
            .clone()
    }

    #[track_caller]
    fn json_with_status(&self, status: u16) -> Value {
        let shown = self.shown();
        assert_eq!(self.status, status, "{shown}");
        let kind = self.content_type.split(';').next().unwrap_or_default().trim();
        assert!(
            kind.eq_ignore_ascii_case("application/json"),
            "wanted application/json: {shown}"
        );
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {shown}"))
    }

    fn shown(&self) -> String {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        format!(
            "{} was answered {} {} {body:?}",
            self.what, self.status, self.content_type
        )
    }
}
