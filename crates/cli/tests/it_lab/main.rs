//! Does the user understand, and is nothing lost: `check`, `diff`, `sweep`, `merge`, `optimize`, `sensitivity`, `validate` as commands.

mod book;
mod check;
mod guide;
mod job;
mod search;
mod support;
mod sweep;
mod validate;
