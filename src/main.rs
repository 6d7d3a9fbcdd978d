//! The process: reads the environment once, runs the command, maps a failure to an exit code.

fn main() {}
