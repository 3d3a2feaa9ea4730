//! What one run of a check has found.

use std::borrow::Cow;

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it is a success.
    pub verdict: Verdict,
    /// What it wants the weight to be.
    pub share: Share,
    /// The administrative state that an agent asks for; `None`: the last one that it asked for holds.
    pub admin: Option<Admin>,
    /// In words: "connection refused".
    pub said: Cow<'static, str>,
    /// What will fail before long: "the certificate ends in 3 days".
    pub warning: Option<Cow<'static, str>>,
}

impl Outcome {
    /// A success.
    #[must_use]
    pub fn pass(said: impl Into<Cow<'static, str>>) -> Self {
        Self { verdict: Verdict::Pass, share: Share::Unsaid, admin: None, said: said.into(), warning: None }
    }

    /// A failure.
    #[must_use]
    pub fn fail(said: impl Into<Cow<'static, str>>) -> Self {
        Self { verdict: Verdict::Fail, share: Share::Unsaid, admin: None, said: said.into(), warning: None }
    }

    /// No result, because of the node itself: nothing is known of the backend, which keeps its state.
    #[must_use]
    pub fn not_run(why: impl std::fmt::Display) -> Self {
        let said = format!("not checked, because of this node: {why}").into();
        Self { verdict: Verdict::NotRun, share: Share::Unsaid, admin: None, said, warning: None }
    }

    /// The same, where it is the node's configuration that keeps it from running.
    #[must_use]
    pub fn cannot_run(why: impl std::fmt::Display) -> Self {
        Self { verdict: Verdict::CannotRun, ..Self::not_run(why) }
    }

    /// Neither.
    #[must_use]
    pub fn no_news(said: impl Into<Cow<'static, str>>) -> Self {
        Self { verdict: Verdict::NoNews, share: Share::Unsaid, admin: None, said: said.into(), warning: None }
    }

    /// The same, with a wish for the weight.
    #[must_use]
    pub fn with_share(self, share: Share) -> Self {
        Self { share, ..self }
    }
}

/// Success or failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A success.
    Pass,
    /// A failure.
    Fail,
    /// Nothing that would change anything: an agent that is not there.
    NoNews,
    /// It could not be found out, because of the node: for want of descriptors, memory or ports.
    NotRun,
    /// The same, as long as the node or its configuration stays as it is: a file, a user, an address or a right is
    /// missing.
    CannotRun,
}

impl Verdict {
    /// Whether it was run at all.
    #[must_use]
    pub fn has_run(self) -> bool {
        match self {
            Self::Pass | Self::Fail | Self::NoNews => true,
            Self::NotRun | Self::CannotRun => false,
        }
    }
}

/// An administrative state that an agent asks for, beside the weight and whether the backend is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admin {
    /// None.
    Ready,
    /// Weight 0, whatever weight the agent reports.
    Drain,
    /// Down, even where the agent reports that it is up.
    Maintenance,
}

/// What a check wants the weight to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// It does not say: what it said last holds.
    Unsaid,
    /// As configured.
    Configured,
    /// This.
    Weight(u16),
    /// So much of the configured one.
    Percent(u16),
}
