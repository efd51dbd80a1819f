//! How answers look: the length of a head, the head in JSON, then columns of numbers, eight bytes each.

use serde_json::{Value, json};

/// One column of numbers under a name.
pub type NamedColumn = (&'static str, Vec<f64>);

/// A head without columns.
pub fn plain(head: &Value) -> Vec<u8> {
    with_columns(head.clone(), &[])
}

/// A refusal: `{"error": …}`.
pub fn refusal(reason: &str) -> Vec<u8> {
    plain(&json!({ "error": reason }))
}

/// A head whose `columns` say where each column is: its name, and its first number and how many there are, in numbers.
pub fn with_columns(mut head: Value, columns: &[NamedColumn]) -> Vec<u8> {
    let mut first = 0;
    let places = columns.iter().map(|(name, values)| {
        let place = json!([name, first, values.len()]);
        first += values.len();
        place
    });
    head["columns"] = places.collect();
    let mut head = head.to_string().into_bytes();
    // Numbers start at a multiple of eight, the four bytes of the length included.
    head.resize((head.len() + 4).next_multiple_of(8) - 4, b' ');
    let mut answer = Vec::with_capacity(4 + head.len() + first * 8);
    answer.extend((head.len() as u32).to_le_bytes());
    answer.extend(head);
    columns.iter().flat_map(|(_, values)| values).for_each(|value| answer.extend(value.to_le_bytes()));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_where_the_head_says() {
        let answer = with_columns(json!({ "a": 1 }), &[("x", vec![1.0, 2.0]), ("y", vec![3.0])]);
        let length = u32::from_le_bytes(answer[..4].try_into().unwrap()) as usize;
        let head: Value = serde_json::from_slice(&answer[4..4 + length]).unwrap();
        assert_eq!(head["columns"], json!([["x", 0, 2], ["y", 2, 1]]));
        assert_eq!((4 + length) % 8, 0);
        assert_eq!(answer[4 + length + 16..], 3.0_f64.to_le_bytes());
    }
}
