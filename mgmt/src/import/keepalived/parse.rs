//! The text of `keepalived.conf(5)` as statements: words in lines, blocks in braces.
//!
//! Comments begin with `#` or `!`, strings stand in quotes, `$NAME=VALUE` defines what `$NAME` and `${NAME}`
//! stand for. Lines for one configuration id alone (`@id …`) and `include` stay statements, which nobody reads.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

use super::super::ParseError;
use super::super::statement::Statement;

enum Token {
    Word(String),
    Open,
    Close,
}

/// The statements of a file.
pub(super) fn parse(text: &str) -> Result<Vec<Statement>, ParseError> {
    let mut parser = Parser { open: Vec::new(), here: Vec::new() };
    let mut definitions = HashMap::new();
    for (line, text) in lines(text) {
        if let Some((name, value)) = definition(&text) {
            definitions.insert(name, value);
            continue;
        }
        let text = substituted(&text, &definitions);
        parser.line(line, tokens(&text).map_err(|message| ParseError { line, message })?)?;
    }
    parser.finish()
}

struct Parser {
    /// The blocks that are open: what stands before each.
    open: Vec<Vec<Statement>>,
    here: Vec<Statement>,
}

impl Parser {
    fn line(&mut self, line: usize, tokens: Vec<Token>) -> Result<(), ParseError> {
        let mut words = Vec::new();
        for token in tokens {
            match token {
                Token::Word(word) => words.push(word),
                Token::Open => {
                    self.statement(line, &mut words);
                    // The brace may stand alone in the line behind.
                    let is_bare = self.here.last().is_none_or(|before| before.inside.is_some());
                    if is_bare {
                        let message = "`{` without a name before it".to_owned();
                        return Err(ParseError { line, message });
                    }
                    self.open.push(std::mem::take(&mut self.here));
                }
                Token::Close => {
                    self.statement(line, &mut words);
                    let Some(outside) = self.open.pop() else {
                        let message = "`}` closes nothing".to_owned();
                        return Err(ParseError { line, message });
                    };
                    let inside = std::mem::replace(&mut self.here, outside);
                    if let Some(block) = self.here.last_mut() {
                        block.inside = Some(inside);
                        block.last = line;
                    }
                }
            }
        }
        self.statement(line, &mut words);
        Ok(())
    }

    fn statement(&mut self, line: usize, words: &mut Vec<String>) {
        if !words.is_empty() {
            self.here.push(Statement::new(line, std::mem::take(words)));
        }
    }

    fn finish(mut self) -> Result<Vec<Statement>, ParseError> {
        match self.open.pop().as_ref().and_then(|outside| outside.last()) {
            None => Ok(self.here),
            Some(block) => {
                let message = format!("`{} {{` is never closed", block.words.join(" "));
                Err(ParseError { line: block.line, message })
            }
        }
    }
}

/// Lines with their numbers; a backslash at the end takes the next one in.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut joined: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (line, number) in text.lines().zip(1..) {
        let rest = line.strip_suffix('\\');
        let content = rest.unwrap_or(line);
        match joined.last_mut().filter(|_| continues) {
            Some((_, before)) => before.push_str(content),
            None => joined.push((number, content.to_owned())),
        }
        continues = rest.is_some();
    }
    joined
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn definition(line: &str) -> Option<(String, String)> {
    let (name, value) = line.trim().strip_prefix('$')?.split_once('=')?;
    let value = value.split(['#', '!']).next().unwrap_or_default().trim();
    let is_quoted = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
    let value = if is_quoted { &value[1..value.len() - 1] } else { value };
    is_name(name.trim()).then(|| (name.trim().to_owned(), value.to_owned()))
}

/// A name that was not defined stays as it is.
fn substituted(line: &str, definitions: &HashMap<String, String>) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let (name, behind) = match after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            Some(braced) => braced,
            None => after.split_at(
                after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len()),
            ),
        };
        match definitions.get(name) {
            Some(value) => {
                text.push_str(value);
                rest = behind;
            }
            None => {
                text.push('$');
                rest = after;
            }
        }
    }
    text + rest
}

fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            '#' | '!' => break,
            '{' => tokens.push(Token::Open),
            '}' => tokens.push(Token::Close),
            c if c.is_whitespace() => {}
            _ => {
                tokens.push(Token::Word(word(&mut chars)?));
                continue;
            }
        }
        chars.next();
    }
    Ok(tokens)
}

/// Quotes may stand anywhere in a word; what they hold loses them.
fn word(chars: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut word = String::new();
    while let Some(&c) = chars.peek() {
        if c.is_whitespace() || "#!}".contains(c) {
            break;
        }
        // `${NAME}` that was not defined is no block.
        if c == '{' && !word.ends_with('$') {
            break;
        }
        chars.next();
        match c {
            '"' | '\'' => quoted(c, &mut word, chars)?,
            '\\' => word.extend(chars.next()),
            '{' => {
                word.push(c);
                word.extend(chars.by_ref().take_while(|c| *c != '}'));
                word.push('}');
            }
            c => word.push(c),
        }
    }
    Ok(word)
}

fn quoted(quote: char, word: &mut String, chars: &mut Peekable<Chars<'_>>) -> Result<(), String> {
    while let Some(c) = chars.next() {
        match c {
            c if c == quote => return Ok(()),
            // Escapes of regular expressions and the like are for who reads the string.
            '\\' if chars.peek() == Some(&quote) => word.extend(chars.next()),
            c => word.push(c),
        }
    }
    Err(format!("a string that begins with {quote} does not end in its line"))
}
