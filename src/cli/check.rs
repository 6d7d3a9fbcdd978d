//! `outpost check`: whether a thread could be run on a host, step by step.

pub mod steps;
