use std::path::PathBuf;

use super::*;

/// A file for a script to write to, which its user may.
fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("penstock-script-{}-{name}", std::process::id()));
    std::fs::write(&path, "").unwrap();
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(&path, everybody).unwrap();
    path
}

fn shell(line: &str, more: &str) -> String {
    format!("check = \"script\"\ncommand = [\"/bin/sh\", \"-c\", '{line}']\n{more}")
}

/// Processes whose command line has this.
fn alive(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(mark)).count()
}

fn children() -> usize {
    let own = "/proc/self/task";
    let tasks = std::fs::read_dir(own).unwrap().filter_map(Result::ok);
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.map(|list| list.split_whitespace().count()).sum()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_status_decides() {
    assert_eq!(passes("check = \"script\"\ncommand = [\"/bin/true\"]", 0), "exit status 0");
    assert_eq!(fails(&shell("exit 3", ""), 0), "exit status 3, wanted 0");
    assert_eq!(passes(&shell("exit 22", "dynamic = true"), 0), "exit status 22, weight 20");
    assert_eq!(fails(&shell("kill -9 $$", ""), 0), "ended by signal 9");
    // Not a status of the launcher's, which would be a weight.
    for dynamic in [true, false] {
        let keys = format!("check = \"script\"\ndynamic = {dynamic}\ncommand = [\"/nowhere/at-all\"]");
        assert_eq!(fails(&keys, 0), "cannot be started: not found");
    }
}

#[test]
fn a_user_that_is_missing_is_the_nodes_fault() {
    let outcome = check(&shell("exit 0", "user = \"no-such-user\""), 0);
    assert_eq!(outcome.verdict, Verdict::CannotRun, "{outcome:?}");
}

#[test]
fn it_knows_what_it_checks_and_little_else() {
    let seen = scratch("environment");
    passes(&shell(&format!("env > {}; id -u >> {0}", seen.display()), ""), 8080);
    let text = std::fs::read_to_string(&seen).unwrap();
    for line in ["PENSTOCK_SERVICE=web", "PENSTOCK_ADDRESS=127.0.0.1", "PENSTOCK_PORT=8080"] {
        assert!(text.lines().any(|found| found == line), "{text}");
    }
    assert!(!text.contains("CARGO"), "{text}");
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
    assert!(!is_root || text.lines().last() != Some("0"), "it runs as root: {text}");
    std::fs::remove_file(seen).unwrap();
}

#[test]
fn at_its_timeout_its_children_end_with_it() {
    let mark = format!("71.{}", std::process::id());
    let line = format!("sleep {mark} & sleep {mark} & wait");
    let said = fails(&shell(&line, "timeout = \"400ms\""), 0);
    assert_eq!(said, "killed after 400ms");
    let deadline = now() + Duration::from_secs(5);
    while alive(&mark) > 0 {
        assert!(now() < deadline, "{} processes are left", alive(&mark));
        std::thread::yield_now();
    }
}

/// In a process of its own it would be exact; beside the other tests a few may come and go.
const OTHERS: usize = 40;

#[test]
fn a_thousand_leave_neither_processes_nor_descriptors() {
    const RUNS: usize = 1000;
    const AT_ONCE: usize = 8;
    let (runner, timeout) = prepared("check = \"script\"\ncommand = [\"/bin/true\"]\ntimeout = \"1s\"");
    let (slow, _) = prepared(&shell("sleep 5 & sleep 5", ""));
    let before = (children(), descriptors());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = |number: usize| {
        let (runner, slow, target) = (&runner, &slow, target(0));
        async move {
            // One in a hundred has to be killed.
            match number % 100 {
                0 => slow.run(&target, Duration::from_millis(5)).await,
                _ => runner.run(&target, timeout).await,
            }
        }
    };
    runtime.block_on(async {
        for first in (0..RUNS).step_by(AT_ONCE) {
            futures_util::future::join_all((first..first + AT_ONCE).map(run)).await;
        }
        // Who was killed is waited for at the next occasion.
        let deadline = now() + Duration::from_secs(10);
        while children() > before.0 + OTHERS && now() < deadline {
            run(1).await;
        }
    });
    let after = (children(), descriptors());
    assert!(after.0 <= before.0 + OTHERS && after.1 <= before.1 + OTHERS, "{before:?} -> {after:?}");
}
