//! Adapters (LoRA) that the requests of a trace are for: names in the file, numbers in memory.

use std::collections::BTreeMap;

/// More names than anybody has adapters: the column holds something else.
const NAMES_MAX: usize = 100_000;

/// The adapters of a trace, numbered from 1 in the order in which it first names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdapterNames {
    numbers: BTreeMap<String, u32>,
    names: Vec<String>,
}

impl AdapterNames {
    /// The number of a name, a new one if it is new. No name is the base model, 0.
    pub fn admit(&mut self, name: &str) -> Result<u32, String> {
        if let Ok(number) = self.number(name) {
            return Ok(number);
        }
        if self.names.len() == NAMES_MAX {
            return Err(format!("is the {}st adapter: the column holds something else", NAMES_MAX + 1));
        }
        self.names.push(name.to_owned());
        let number = self.names.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        Ok(number)
    }

    /// The number of a name that was admitted; the error is for a file that has changed since.
    pub fn number(&self, name: &str) -> Result<u32, &'static str> {
        if name.is_empty() {
            return Ok(0);
        }
        self.numbers.get(name).copied().ok_or("an adapter that was not in it before")
    }

    /// The names, that of number 1 first; `None` without any.
    pub fn names(&self) -> Option<Vec<String>> {
        (!self.names.is_empty()).then(|| self.names.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_numbers_in_which_they_come_up_to_a_bound() {
        let mut names = AdapterNames::default();
        let seen: Vec<u32> = ["b", "", "a", "b"].iter().map(|name| names.admit(name).unwrap()).collect();
        assert_eq!((seen, names.names().unwrap().join(" ")), (vec![1, 0, 2, 1], "b a".to_owned()));
        assert!(names.number("c").is_err());
        for number in 2..NAMES_MAX {
            names.admit(&number.to_string()).unwrap();
        }
        assert!(names.admit("one more").unwrap_err().starts_with("is the 100001st adapter"));
    }
}
