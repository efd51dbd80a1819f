//! Does the user understand, and is nothing lost: `check`, `diff`, `sweep`, `merge`, `optimize`, `sensitivity` as commands.

mod check;
mod guide;
mod search;
mod support;
mod sweep;
