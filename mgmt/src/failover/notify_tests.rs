//! Scripts that take their time.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

/// A directory with a script in it that writes its last words into `told`.
fn script(body: &str) -> (PathBuf, PathBuf) {
    let dir = crate::api::fake::fresh_dir();
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("notify");
    std::fs::write(&path, format!("#!/bin/sh\n{body}\necho \"$*\" >>{}\n", dir.join("told").display()))
        .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (dir, path)
}

fn told(dir: &Path) -> Vec<String> {
    std::fs::read_to_string(dir.join("told")).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn calls_are_bounded_and_the_last_states_are_told() {
    let (dir, script) = script("");
    let mut notifier = Notifier::default();
    for n in 0..3 * WAITING {
        notifier.tell(&script, "INSTANCE", "outside", &["BACKUP", &n.to_string()]);
    }
    notifier.finish(Duration::from_secs(30)).await;
    let expected = (2 * WAITING..3 * WAITING).map(|n| format!("INSTANCE outside BACKUP {n}"));
    assert_eq!(told(&dir), expected.collect::<Vec<_>>());
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn a_subject_without_calls_is_forgotten_and_begins_again() {
    let (dir, script) = script("");
    let mut notifier = Notifier::default();
    for round in 0..3 {
        notifier.tell(&script, "SERVICE", "web", &["UP"]);
        let all = async {
            while told(&dir).len() <= round
                || !locked(&notifier.subjects[&("SERVICE", "web".to_owned())].queue).has_ended
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.expect("the script is called");
        notifier.tell(&script, "SERVICE", &format!("other {round}"), &["UP"]);
        assert_eq!(notifier.subjects.len(), 1 + usize::from(round > 0).min(notifier.subjects.len() - 1));
    }
    drop(notifier);
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn a_script_may_write_more_than_anybody_reads() {
    let (dir, script) =
        script("head -c 1000000 /dev/zero | tr '\\0' '\\n' >&2; (sleep 30 >/dev/null </dev/null) &");
    let mut notifier = Notifier::default();
    notifier.tell(&script, "SERVICE", "web", &["UP"]);
    let began = crate::clock::now();
    // What it leaves behind holds its standard error open, and is not waited for.
    notifier.finish(Duration::from_secs(20)).await;
    assert!(crate::clock::now() - began < Duration::from_secs(20));
    assert_eq!(told(&dir), ["SERVICE web UP"]);
    std::fs::remove_dir_all(dir).unwrap();
}
