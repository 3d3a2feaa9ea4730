//! A connection is taken.

use super::Target;
use super::socket::connect;
use crate::health::tracker::Outcome;

pub(super) async fn run(target: &Target) -> Result<Outcome, Outcome> {
    connect(target).await?;
    Ok(Outcome::pass("connected"))
}
