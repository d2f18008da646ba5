//! Snapshots of what is sent, and leniency in what is read.
