//! The cores that workers run on.

use super::{Finding, Sight, list, listed};

pub(super) fn examine(sight: &Sight, cores: &[usize]) -> Vec<Finding> {
    let mut findings = vec![features(sight), isolation(sight, cores), siblings(sight, cores)];
    findings.extend(online(sight, cores));
    findings.extend(governor(sight, cores));
    findings
}

/// What the programs are built for.
fn features(sight: &Sight) -> Finding {
    let info = sight.text("/proc/cpuinfo").unwrap_or_default();
    let flags = info.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let lacks: Vec<_> = ["avx2", "bmi2", "aes", "pclmulqdq"]
        .into_iter()
        .filter(|word| !flags.split_whitespace().any(|f| f == *word))
        .collect();
    match lacks.is_empty() {
        true => Finding::ok("cpu", "x86-64-v3 with aes"),
        false => Finding::problem(
            "cpu",
            format!("without {}", lacks.join(", ")),
            "x86-64-v3 with aes and pclmulqdq is needed: an x86 server of 2015 or newer",
        ),
    }
}

fn isolation(sight: &Sight, cores: &[usize]) -> Finding {
    let isolated = list(&sight.text("/sys/devices/system/cpu/isolated").unwrap_or_default());
    let open: Vec<_> = cores.iter().copied().filter(|core| !isolated.contains(core)).collect();
    match open.is_empty() {
        true => Finding::ok("isolated cores", listed(cores)),
        false => Finding::advice(
            "isolated cores",
            format!("workers share {} with Linux", listed(&open)),
            format!("boot with isolcpus={0} nohz_full={0} rcu_nocbs={0}", listed(cores)),
        ),
    }
}

/// A worker is pinned to its core, or does not start.
fn online(sight: &Sight, cores: &[usize]) -> Option<Finding> {
    let online = list(&sight.text("/sys/devices/system/cpu/online")?);
    let off: Vec<_> = cores.iter().copied().filter(|core| !online.contains(core)).collect();
    (!off.is_empty()).then(|| {
        Finding::problem(
            "cores online",
            format!("{} are not", listed(&off)),
            "echo 1 > /sys/devices/system/cpu/cpuN/online, or list others in [dataplane] cores",
        )
    })
}

/// Two workers on one core of two threads have half of it each.
fn siblings(sight: &Sight, cores: &[usize]) -> Finding {
    let threads = |core: &usize| {
        let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
        list(&sight.text(&path).unwrap_or_default())
    };
    let shared = |core: &&usize| threads(core).iter().any(|other| other != *core && cores.contains(other));
    let shared: Vec<_> = cores.iter().filter(shared).copied().collect();
    match shared.is_empty() {
        true => Finding::ok("hyper-threads", "each worker has a core of its own"),
        false => Finding::advice(
            "hyper-threads",
            format!("workers on {} share cores", listed(&shared)),
            "list one thread of each core in [dataplane] cores",
        ),
    }
}

/// Nothing, where the kernel does not choose the frequency.
fn governor(sight: &Sight, cores: &[usize]) -> Option<Finding> {
    let of =
        |core: &usize| sight.text(&format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"));
    let slow: Vec<_> =
        cores.iter().filter(|core| of(core).is_some_and(|word| word != "performance")).copied().collect();
    let known = cores.iter().any(|core| of(core).is_some());
    known.then(|| match slow.is_empty() {
        true => Finding::ok("frequency", "performance"),
        false => Finding::advice(
            "frequency",
            format!("cores {} save power", listed(&slow)),
            "cpupower frequency-set -g performance",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::State::{Advice, Ok, Problem};
    use super::*;

    #[test]
    fn cores_are_to_be_isolated_whole_and_fast() {
        const CPU: &str = "/sys/devices/system/cpu";
        let good = [
            ("/proc/cpuinfo".to_owned(), "flags : fpu avx2 bmi2 aes pclmulqdq\n"),
            (format!("{CPU}/isolated"), "1-3\n"),
            (format!("{CPU}/cpu1/topology/thread_siblings_list"), "1,5\n"),
            (format!("{CPU}/cpu1/cpufreq/scaling_governor"), "performance\n"),
            (format!("{CPU}/cpu2/cpufreq/scaling_governor"), "performance\n"),
        ];
        let good: Vec<_> = good.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let states = |files: &[(&str, &str)], cores: &[usize]| -> Vec<_> {
            examine(&Sight::of(files), cores).iter().map(|finding| finding.state).collect()
        };
        assert_eq!(states(&good, &[1, 2]), [Ok; 4]);
        assert_eq!(
            states(&good, &[1, 5]),
            [Ok, Advice, Advice, Ok],
            "a core of two threads, and one that is not isolated"
        );
        assert_eq!(states(&[("/proc/cpuinfo", "flags : avx2 aes")], &[1]), [Problem, Advice, Ok]);
        let off = states(&[("/sys/devices/system/cpu/online", "0-1,3")], &[1, 2]);
        assert_eq!(off[3], Problem, "no worker can be pinned there");
        assert_eq!(states(&[("/sys/devices/system/cpu/online", "0-2")], &[1, 2]).len(), 3);
        let slow = "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor";
        assert_eq!(states(&[(slow, "powersave")], &[1])[3], Advice);
    }
}
