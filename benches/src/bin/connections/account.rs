//! CPU time, from what the kernel says of threads and of cores.

use std::fs;
use std::time::Duration;

use crate::Result;

/// What is charged to the box.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// Processes with all their threads.
    processes: Vec<(&'static str, u32)>,
    core: usize,
}

/// Seconds so far.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// By process.
    pub(crate) run: Vec<(&'static str, f64)>,
    /// The whole core, whoever it ran.
    pub(crate) busy: f64,
}

impl Account {
    /// Of the contestant's process where it has one, and of the kernel's threads that do the box's work.
    /// `device` is the box's interface: its name has to be unique among all namespaces.
    pub(crate) fn open(process: Option<u32>, device: &str, core: usize) -> Result<Self> {
        let mut processes: Vec<_> = process.map(|id| ("process", id)).into_iter().collect();
        let receiving = find(&format!("napi/{device}-"));
        if receiving.is_empty() {
            return Err(format!("no kernel thread receives for {device}").into());
        }
        processes.extend(receiving.into_iter().map(|id| ("receiving", id)));
        processes.extend(find(&format!("ksoftirqd/{core}")).into_iter().map(|id| ("softirq", id)));
        Ok(Self { processes, core })
    }

    pub(crate) fn read(&self) -> Result<Reading> {
        let run = self.processes.iter().map(|(what, id)| Ok((*what, run_time(*id)?)));
        Ok(Reading { run: run.collect::<Result<_>>()?, busy: busy_time(self.core)? })
    }
}

impl Reading {
    /// What was added since `earlier`: by process, and to the core.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let run = self.run.iter().zip(&earlier.run).map(|((what, now), (_, then))| (*what, now - then));
        Self { run: run.collect(), busy: self.busy - earlier.busy }
    }

    /// All that was run for the box.
    pub(crate) fn total(&self) -> f64 {
        self.run.iter().map(|(_, seconds)| seconds).sum()
    }

    /// What was run for it by threads of one kind.
    pub(crate) fn of(&self, kind: &str) -> f64 {
        self.run.iter().filter(|(what, _)| *what == kind).map(|(_, seconds)| seconds).sum()
    }
}

/// Kernel threads whose name begins so. The kernel keeps fifteen characters of a name.
fn find(name: &str) -> Vec<u32> {
    let name = &name[..name.len().min(15)];
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|comm| comm.starts_with(name)))
        .collect()
}

/// Seconds that a process has run, to the nanosecond.
fn run_time(process: u32) -> Result<f64> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        total += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(total).as_secs_f64())
}

/// Seconds that a core was not idle. The kernel measures idle time by the clock, and the rest by what its
/// tick happens to meet: so it is taken as what idle time leaves over.
fn busy_time(core: usize) -> Result<f64> {
    let (text, name) = (fs::read_to_string("/proc/stat")?, format!("cpu{core} "));
    let line = text.lines().find_map(|line| line.strip_prefix(&name)).ok_or("no such core")?;
    let fields: Vec<f64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    let idle = fields.get(3).zip(fields.get(4)).map(|(idle, waiting)| idle + waiting);
    // In hundredths of a second, whatever the kernel's tick.
    Ok(up_time()? - idle.ok_or("/proc/stat is not as expected")? / 100.0)
}

fn up_time() -> Result<f64> {
    Ok(fs::read_to_string("/proc/uptime")?.split(' ').next().unwrap_or_default().parse()?)
}
