//! Do the data commands say what is in a file, and write what a scenario can read? Real commands, small inputs of our own.

mod calibrate;
mod folders;
mod hostile;
mod init;
mod money;
mod prices;
mod support;
mod trace;
