//! Licence expressions (SPDX specification 2.3, annex D), as far as packages use them: identifiers,
//! `WITH` an exception, `AND`, `OR`, brackets, and the slash that old packages write for `OR`.

use std::iter::Peekable;
use std::vec::IntoIter;

/// A licence expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// One licence, with its exception if it has one.
    Licence(String),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Expression {
    /// Reads `text`; `None` if it is no expression.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut tokens = tokens(text).into_iter().peekable();
        let expression = any(&mut tokens)?;
        tokens.next().is_none().then_some(expression)
    }

    /// Whether a choice of licences that are all in `allowed` satisfies it.
    pub(super) fn is_satisfied_by(&self, allowed: &[String]) -> bool {
        match self {
            Self::Licence(name) => allowed.contains(name),
            Self::All(parts) => parts.iter().all(|part| part.is_satisfied_by(allowed)),
            Self::Any(parts) => parts.iter().any(|part| part.is_satisfied_by(allowed)),
        }
    }

    /// Whether the licence `name` occurs in it.
    pub(super) fn mentions(&self, name: &str) -> bool {
        match self {
            Self::Licence(licence) => licence == name,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.mentions(name)),
        }
    }
}

type Tokens = Peekable<IntoIter<String>>;

fn tokens(text: &str) -> Vec<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

fn any(tokens: &mut Tokens) -> Option<Expression> {
    let mut parts = vec![all(tokens)?];
    while tokens.next_if(|token| token == "OR").is_some() {
        parts.push(all(tokens)?);
    }
    single_or(parts, Expression::Any)
}

fn all(tokens: &mut Tokens) -> Option<Expression> {
    let mut parts = vec![one(tokens)?];
    while tokens.next_if(|token| token == "AND").is_some() {
        parts.push(one(tokens)?);
    }
    single_or(parts, Expression::All)
}

fn one(tokens: &mut Tokens) -> Option<Expression> {
    let token = tokens.next()?;
    match token.as_str() {
        "(" => {
            let inner = any(tokens)?;
            tokens.next_if(|token| token == ")").map(|_| inner)
        }
        ")" | "AND" | "OR" | "WITH" => None,
        _ if tokens.next_if(|token| token == "WITH").is_some() => {
            Some(Expression::Licence(format!("{token} WITH {}", tokens.next()?)))
        }
        _ => Some(Expression::Licence(token)),
    }
}

fn single_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Option<Expression> {
    if parts.len() == 1 { parts.pop() } else { Some(many(parts)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(text: &str, allowed: &[&str]) -> bool {
        let allowed: Vec<String> = allowed.iter().copied().map(str::to_owned).collect();
        Expression::parse(text).unwrap().is_satisfied_by(&allowed)
    }

    #[test]
    fn one_of_a_choice_is_enough() {
        for choice in ["MIT OR GPL-3.0", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "(GPL-3.0 OR (MIT))"] {
            assert!(is_allowed(choice, &["MIT"]), "{choice}");
            assert!(!is_allowed(choice, &["ISC"]), "{choice}");
        }
    }

    #[test]
    fn a_conjunction_needs_every_part() {
        let text = "(MIT OR Apache-2.0) AND Unicode-3.0";
        assert!(is_allowed(text, &["Apache-2.0", "Unicode-3.0"]));
        assert!(!is_allowed(text, &["Apache-2.0", "MIT"]));
        assert!(!is_allowed(text, &["Unicode-3.0"]));
    }

    #[test]
    fn and_binds_closer_than_or() {
        assert!(is_allowed("MIT OR Zlib AND ISC", &["MIT"]));
        assert!(!is_allowed("MIT AND Zlib OR ISC", &["MIT"]));
    }

    #[test]
    fn a_licence_with_an_exception_is_a_licence_of_its_own() {
        let text = "Apache-2.0 WITH LLVM-exception";
        assert!(!is_allowed(text, &["Apache-2.0"]));
        assert!(is_allowed(text, &["Apache-2.0 WITH LLVM-exception"]));
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for wrong in ["", "MIT OR", "AND MIT", "(MIT", "MIT)", "MIT ISC", "MIT WITH"] {
            assert_eq!(Expression::parse(wrong), None, "{wrong:?}");
        }
    }
}
