//! Text to tokens.

use super::FormulaError;

/// One token and where it starts, counted in characters from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) at: usize,
}

/// What a token is. Word operators (`and`, `or`, `not`, `in`) come out as symbols.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    Int(i64),
    Float(f64),
    Name(String),
    Symbol(&'static str),
}

/// Longest first, so that `**` is not read as two `*`.
const SYMBOLS: [&str; 32] = [
    "**", "==", "!=", "<=", ">=", "&&", "||", "??", "..", "+", "-", "*", "/", "%", "^", "<", ">", "!", "?", ":", "(",
    ")", "[", "]", "{", "}", ",", ";", "=", "#", "|", ".",
];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FormulaError> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut next = 0;
    while next < chars.len() {
        let rest = &chars[next..];
        let at = next + 1;
        if rest[0].is_whitespace() {
            next += 1;
            continue;
        }
        let (kind, length) =
            if rest[0].is_ascii_digit() || (rest[0] == '.' && rest.get(1).is_some_and(char::is_ascii_digit)) {
                number(rest, at)?
            } else if rest[0].is_alphabetic() || rest[0] == '_' || rest[0] == '$' {
                let length = rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_' || **c == '$').count();
                (word(rest[..length].iter().collect()), length)
            } else {
                symbol(rest, at)?
            };
        found.push(Token { kind, at });
        next += length;
    }
    Ok(found)
}

fn number(rest: &[char], at: usize) -> Result<(TokenKind, usize), FormulaError> {
    let mut length = 0;
    let mut is_float = false;
    while let Some(c) = rest.get(length) {
        // A point followed by another is the range operator, as in `1..3`.
        let is_point = *c == '.' && !is_float && rest.get(length + 1) != Some(&'.');
        let is_exponent = matches!(c, 'e' | 'E') && length > 0;
        let is_sign = matches!(c, '+' | '-') && matches!(rest[length.saturating_sub(1)], 'e' | 'E');
        if !(c.is_ascii_digit() || *c == '_' || is_point || is_exponent || is_sign) {
            break;
        }
        is_float |= is_point || is_exponent;
        length += 1;
    }
    let text: String = rest[..length].iter().filter(|c| **c != '_').collect();
    let parsed = if is_float { text.parse().ok().map(TokenKind::Float) } else { text.parse().ok().map(TokenKind::Int) };
    let kind = parsed.ok_or_else(|| FormulaError { message: format!("{text} is not a number"), at })?;
    Ok((kind, length))
}

fn word(name: String) -> TokenKind {
    match name.as_str() {
        "and" => TokenKind::Symbol("&&"),
        "or" => TokenKind::Symbol("||"),
        "not" => TokenKind::Symbol("not"),
        "in" => TokenKind::Symbol("in"),
        _ => TokenKind::Name(name),
    }
}

fn symbol(rest: &[char], at: usize) -> Result<(TokenKind, usize), FormulaError> {
    let found = SYMBOLS.iter().find(|symbol| symbol.chars().zip(rest).filter(|(a, b)| a == *b).count() == symbol.len());
    match found {
        Some(symbol) => Ok((TokenKind::Symbol(symbol), symbol.len())),
        None => Err(FormulaError { message: format!("{} has no meaning in a formula here", rest[0]), at }),
    }
}
