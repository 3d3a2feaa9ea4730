//! The verbs that put configurations in force and take them back.

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::render::Render;
use super::table::{Cell, Style, Table, Tone, row};
use super::{Call, Failure, Session, encoded, invalid, send};
use crate::api::view;
use crate::config;

/// What to put in force.
#[derive(Debug, Clone, Args)]
pub struct ApplyArguments {
    /// The file
    pub file: PathBuf,
    /// Take it back after this time, unless `penstock confirm` comes before
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub confirm: Option<Duration>,
}

const STAYS: &str = "in force until the daemon stops or reloads; its own file was not changed\n";

impl<O: Write, E: Write> Session<'_, O, E> {
    pub(super) async fn plan(&mut self, file: &Path) -> Result<(), Failure> {
        self.configure("plan", file, "").await.map(drop)
    }

    pub(super) async fn apply(
        &mut self,
        ApplyArguments { file, confirm }: &ApplyArguments,
    ) -> Result<(), Failure> {
        let Some(time) = confirm else {
            return self.configure("apply", file, "").await?.map_or(Ok(()), |_| self.terminal.print(STAYS));
        };
        // Rounded up: nobody is to have less time than they asked for.
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        let answer = self.configure("apply", file, &format!("&confirm={seconds}")).await?;
        match answer.and_then(|planned| planned.confirm_within_seconds) {
            Some(seconds) => self.terminal.print(&format!(
                "in force for {seconds} seconds: `penstock confirm` keeps it, else it is taken back\n"
            )),
            None => Ok(()),
        }
    }

    async fn configure(
        &mut self,
        verb: &str,
        file: &Path,
        parameters: &str,
    ) -> Result<Option<view::Planned>, Failure> {
        let text = config::read_file(file).map_err(|errors| invalid(file, errors))?;
        let name = encoded(&file.display().to_string());
        self.change(Call::post(format!("/v1/config/{verb}?name={name}{parameters}"), text)).await
    }

    pub(super) async fn change(&mut self, call: Call) -> Result<Option<view::Planned>, Failure> {
        let planned = self.call::<view::Planned>(call).await?;
        if let Some(planned) = &planned {
            self.terminal.warn(&planned.diagnostics);
        }
        Ok(planned)
    }

    pub(super) async fn confirm(&mut self) -> Result<(), Failure> {
        self.call::<view::Confirmed>(Call::post("/v1/config/confirm", "")).await.map(drop)
    }

    pub(super) async fn rollback(&mut self, number: Option<u64>) -> Result<(), Failure> {
        let to = number.map(|number| format!("?to={number}")).unwrap_or_default();
        let done = self.change(Call::post(format!("/v1/config/rollback{to}"), "")).await?;
        done.map_or(Ok(()), |_| self.terminal.print(STAYS))
    }

    /// The list, or the text of one.
    pub(super) async fn history(&mut self, number: Option<u64>) -> Result<(), Failure> {
        let Some(number) = number else {
            return self.show::<Vec<view::Applied>>("/v1/config/history").await;
        };
        let answer = send(&self.socket, Call::get(format!("/v1/config/history/{number}"))).await?;
        match answer.status.is_success() {
            true => self.terminal.print(&String::from_utf8_lossy(&answer.body)),
            false => Err(self.refusal(&answer.body)),
        }
    }
}

impl Render for view::Planned {
    fn render(&self, _: Style) -> String {
        let mut text: String = self.plan.changes.iter().map(|change| format!("{change}\n")).collect();
        text.extend(self.plan.needs_restart.iter().map(|change| format!("needs a restart: {change}\n")));
        if text.is_empty() {
            return "no change\n".to_owned();
        }
        if let Some(forecast) = &self.forecast {
            text.push_str(&told(forecast));
        }
        text
    }
}

/// What is as it was is not told.
fn told(forecast: &view::Forecast) -> String {
    let view::Forecast { services, flows, flows_cut, flows_of_leaving_backends: leaving, snat, .. } =
        forecast;
    let mut text = "\nforecast:\n".to_owned();
    let mut say = |sentence: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {sentence}");
    };
    for view::ServiceForecast { service, moved_percent, exact } in services {
        let about = if *exact { "" } else { "about " };
        say(format!("service {service}: {about}{moved_percent} % of new flows go elsewhere"));
    }
    say(format!("{flows_cut} of {flows} established flows are ended"));
    if *leaving > 0 {
        say(format!("{leaving} flows of backends that leave go on until they end"));
    }
    if forecast.table_bytes != forecast.table_bytes_planned {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        let (now, then) = (mib(forecast.table_bytes), mib(forecast.table_bytes_planned));
        say(format!("the flow table takes {then} MiB instead of {now} MiB"));
    }
    for view::SnatForecast { service, capacity, used } in snat {
        say(format!(
            "service {service}: its pool has room for {capacity} flows to each backend; {used} is the most that one has now"
        ));
    }
    for view::MtuForecast { service, backend, interface, mtu, overhead, fits, mss_clamp } in &forecast.mtu {
        let added = if *overhead > 0 { format!(", and the box adds {overhead}") } else { String::new() };
        say(format!(
            "service {service}: packets of clients over {fits} bytes do not fit on the way to {backend} ({interface} \
             carries {mtu}{added}): they are cut, or their senders told; mss_clamp = {mss_clamp} keeps TCP below"
        ));
    }
    text
}

impl Render for view::Confirmed {
    fn render(&self, _: Style) -> String {
        format!("{} stays in force (number {})\n", self.name, self.number)
    }
}

impl Render for Vec<view::Applied> {
    fn render(&self, style: Style) -> String {
        let mut table = Table::new(">NUMBER AT WHO HOW STATE FILE", style);
        for applied in self {
            let who = match (&applied.user, applied.uid) {
                (Some(user), _) => user.clone(),
                (None, Some(uid)) => uid.to_string(),
                (None, None) => String::new(),
            };
            let state = match (applied.in_force, applied.confirm_within_seconds) {
                (true, Some(seconds)) => Cell::toned(format!("unconfirmed-{seconds}s"), Tone::Attention),
                (true, None) => Cell::toned("in-force", Tone::Good),
                (false, _) => Cell::toned("", Tone::Neutral),
            };
            let how = applied.how.replace(' ', "-");
            table.push(row![applied.number, &applied.at, who, how, state, &applied.name]);
        }
        table.to_string()
    }
}
