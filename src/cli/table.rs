//! Tables on stdout: one header, one row per line, columns parted by tabs, so that `cut`, `grep` and `awk` can read them.

use std::io::{self, Write};

/// What stands for a value that is not there, so that no column is empty.
const NOTHING: &str = "-";

/// Writes the header.
///
/// # Errors
/// `out` does not take it.
pub(super) fn header<const N: usize>(out: &mut dyn Write, columns: [&str; N]) -> io::Result<()> {
    writeln!(out, "{}", columns.join("\t"))
}

/// Writes a row. Line breaks and tabs within a value become spaces.
///
/// # Errors
/// `out` does not take it.
pub(super) fn row<const N: usize>(out: &mut dyn Write, values: [Option<&str>; N]) -> io::Result<()> {
    writeln!(out, "{}", values.map(cell).join("\t"))
}

fn cell(value: Option<&str>) -> String {
    let value = value.filter(|value| !value.trim().is_empty()).unwrap_or(NOTHING);
    value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_in_its_column() {
        let mut out = Vec::new();
        header(&mut out, ["ID", "NAME", "DETAIL"]).unwrap();
        row(&mut out, [Some("1"), None, Some("two\nlines\tand a tab")]).unwrap();
        row(&mut out, [Some("2"), Some(" "), Some("\u{1b}[31m")]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "ID\tNAME\tDETAIL\n1\t-\ttwo lines and a tab\n2\t-\t [31m\n"
        );
    }
}
