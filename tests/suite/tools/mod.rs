//! Programs and commands of the project: each is tested once.

mod cargo_lambda;
mod chaos;
mod demo;
mod dev;
mod documented_commands;
mod examples;
mod figures;
mod monitor;
mod peak;
mod readme;
mod repair;
mod runner;
mod runner_template;
mod smoke;
mod terminal;
mod trace;
