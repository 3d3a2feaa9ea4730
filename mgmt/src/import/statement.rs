//! One statement of the file that is imported, and what has become of it.

use std::cell::RefCell;

/// A line with a meaning; a block with all that is in it.
#[derive(Debug, Default)]
pub(super) struct Statement {
    /// Counted from 1.
    pub(super) line: usize,
    /// Where its block ends; without one the same line.
    pub(super) last: usize,
    pub(super) words: Vec<String>,
    pub(super) inside: Option<Vec<Self>>,
    fate: RefCell<Fate>,
}

#[derive(Debug, Default)]
enum Fate {
    /// Nobody has looked at it, which counts as lost.
    #[default]
    Unread,
    /// It is in the configuration, but for these parts.
    Carried(Vec<String>),
    Lost(String),
}

impl Statement {
    pub(super) fn new(line: usize, words: Vec<String>) -> Self {
        Self { line, last: line, words, ..Self::default() }
    }

    pub(super) fn keyword(&self) -> &str {
        self.word(0).unwrap_or_default()
    }

    pub(super) fn word(&self, place: usize) -> Option<&str> {
        self.words.get(place).map(String::as_str)
    }

    /// All behind the keyword.
    pub(super) fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    pub(super) fn block(&self) -> &[Self] {
        self.inside.as_deref().unwrap_or_default()
    }

    /// The configuration says it.
    pub(super) fn carry(&self) {
        let mut fate = self.fate.borrow_mut();
        if matches!(*fate, Fate::Unread) {
            *fate = Fate::Carried(Vec::new());
        }
    }

    /// The configuration says it, but for something.
    pub(super) fn carry_without(&self, what: impl Into<String>) {
        self.carry();
        if let Fate::Carried(parts) = &mut *self.fate.borrow_mut() {
            parts.push(what.into());
        }
    }

    /// The configuration does not say it, nor what is in it.
    pub(super) fn lose(&self, why: impl Into<String>) {
        *self.fate.borrow_mut() = Fate::Lost(why.into());
    }

    /// The statement in the block by this name that counts: the last, as in Keepalived. Those before it
    /// are lost.
    pub(super) fn find(&self, names: &[&str]) -> Option<&Self> {
        let mut found: Option<&Self> = None;
        for statement in self.block().iter().filter(|statement| names.contains(&statement.keyword())) {
            if let Some(before) = found {
                before.lose("a later line says it anew");
            }
            found = Some(statement);
        }
        found
    }

    /// Its only argument. More words than that are told.
    pub(super) fn argument(&self) -> Option<&str> {
        self.carry();
        if let Some(rest) = self.words.get(2..).filter(|rest| !rest.is_empty()) {
            self.carry_without(format!("`{}` has no counterpart", rest.join(" ")));
        }
        self.word(1)
    }
}

impl Statement {
    /// Its only argument, if that fits; else it is lost, as `what` says.
    pub(super) fn fitting(&self, fits: impl Fn(&str) -> bool, what: &str) -> Option<&str> {
        let found = self.argument().filter(|text| fits(text));
        if found.is_none() {
            self.lose(what);
        }
        found
    }
}

/// What has no counterpart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The first line of it, counted from 1.
    pub line: usize,
    /// The last one.
    pub last: usize,
    /// Why, and what to do.
    pub reason: String,
}

/// All that the configuration does not say. `why` has the reasons for what nobody has looked at.
pub(super) fn notes(statements: &[Statement], why: impl Fn(&Statement) -> String + Copy) -> Vec<Note> {
    let mut found = Vec::new();
    for statement in statements {
        let whole = |reason| Note { line: statement.line, last: statement.last, reason };
        let first = |reason: &String| Note { last: statement.line, ..whole(reason.clone()) };
        match &*statement.fate.borrow() {
            Fate::Unread => found.push(whole(why(statement))),
            Fate::Lost(reason) => found.push(whole(reason.clone())),
            Fate::Carried(parts) => {
                found.extend(parts.iter().map(first));
                found.extend(notes(statement.block(), why));
            }
        }
    }
    found
}
