//! `cargo xtask licences`: the part of `deny.toml` that must always hold, checked without cargo-deny.
//! Every package's licence is satisfied by the allow-list, and every package is the workspace's own
//! or comes from an allowed registry.

mod expression;

use std::path::Path;
use std::process::Command;

use expression::Expression;
use serde_json::Value;

/// The machines that Penstock is built for: what other systems need is neither fetched nor judged.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Prints what is wrong, and says whether nothing is.
pub(crate) fn run(root: &Path) -> bool {
    match policy(root).and_then(|policy| Ok((packages(root)?, policy))) {
        Ok((packages, policy)) => {
            let wrong = policy.judge(&packages);
            wrong.iter().for_each(|line| println!("{line}"));
            println!("licences: {} packages, {} wrong", packages.len(), wrong.len());
            wrong.is_empty()
        }
        Err(error) => {
            println!("licences: {error}");
            false
        }
    }
}

#[derive(Debug)]
struct Policy {
    licences: Vec<String>,
    registries: Vec<String>,
}

#[derive(Debug)]
struct Package {
    name: String,
    licence: Option<String>,
    /// As cargo writes it: `registry+URL`, `git+URL`; none for the workspace's own.
    source: Option<String>,
}

fn policy(root: &Path) -> Result<Policy, String> {
    let path = root.join("deny.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Policy::parse(&text).map_err(|error| format!("deny.toml: {error}"))
}

impl Policy {
    fn parse(text: &str) -> Result<Self, String> {
        let document: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        let list = |table: &str, key: &str| {
            let list = document.get(table).and_then(|table| table.get(key)?.as_array());
            let list = list.ok_or_else(|| format!("{table}.{key} is missing"))?;
            Ok::<_, String>(list.iter().filter_map(|entry| Some(entry.as_str()?.to_owned())).collect())
        };
        Ok(Self { licences: list("licenses", "allow")?, registries: list("sources", "allow-registry")? })
    }

    fn judge(&self, packages: &[Package]) -> Vec<String> {
        let mut wrong: Vec<String> = packages.iter().filter_map(|package| self.refusal(package)).collect();
        let expressions: Vec<_> =
            packages.iter().filter_map(|package| Expression::parse(package.licence.as_deref()?)).collect();
        let unused = self.licences.iter().filter(|licence| !expressions.iter().any(|e| e.mentions(licence)));
        wrong
            .extend(unused.map(|licence| format!("deny.toml: no package has the allowed licence {licence}")));
        wrong
    }

    /// Why `package` may not be built in.
    fn refusal(&self, package: &Package) -> Option<String> {
        let name = &package.name;
        if let Some(source) = &package.source {
            let registry = source.strip_prefix("registry+").unwrap_or_default();
            if !self.registries.iter().any(|allowed| allowed == registry) {
                return Some(format!("{name}: its source {source} is not in deny.toml's allow-registry"));
            }
        }
        let Some(licence) = &package.licence else { return Some(format!("{name}: names no licence")) };
        match Expression::parse(licence) {
            None => Some(format!("{name}: its licence {licence:?} is no licence expression")),
            Some(expression) if expression.is_satisfied_by(&self.licences) => None,
            Some(_) => Some(format!("{name}: its licence {licence} is not in deny.toml's allow-list")),
        }
    }
}

fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot run cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    read_packages(&output.stdout).ok_or_else(|| "cargo metadata says something else than expected".into())
}

fn read_packages(json: &[u8]) -> Option<Vec<Package>> {
    let metadata: Value = serde_json::from_slice(json).ok()?;
    let text = |package: &Value, key: &str| package.get(key)?.as_str().map(str::to_owned);
    let packages = metadata.get("packages")?.as_array()?;
    packages
        .iter()
        .map(|package| {
            Some(Package {
                name: text(package, "name")?,
                licence: text(package, "license"),
                source: text(package, "source"),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "licenses.allow = ['MIT']\nsources.allow-registry = ['https://the.one/index']";

    fn refusals(json: &str) -> Vec<String> {
        let packages = read_packages(format!("{{\"packages\": [{json}]}}").as_bytes()).unwrap();
        Policy::parse(POLICY).unwrap().judge(&packages)
    }

    #[test]
    fn an_allowed_licence_from_the_one_registry_is_well() {
        let package = r#"{"name": "a", "license": "MIT", "source": "registry+https://the.one/index"}"#;
        let own = r#"{"name": "own", "license": "MIT", "source": null}"#;
        assert!(refusals(&format!("{package}, {own}")).is_empty());
    }

    #[test]
    fn a_licence_outside_the_list_is_refused() {
        let own = r#"{"name": "own", "license": "MIT", "source": null}"#;
        for licence in [r#""GPL-3.0""#, r#""MIT AND GPL-3.0""#, "null", r#""see file""#] {
            let package = format!(r#"{{"name": "a", "license": {licence}, "source": null}}, {own}"#);
            assert_eq!(refusals(&package).len(), 1, "{licence}");
        }
    }

    #[test]
    fn another_registry_or_a_repository_is_refused() {
        for source in ["registry+https://another.one/index", "git+https://the.one/index", ""] {
            let package = format!(r#"{{"name": "a", "license": "MIT", "source": "{source}"}}"#);
            assert_eq!(refusals(&package).len(), 1, "{source}");
        }
    }

    #[test]
    fn an_allowed_licence_that_no_package_has_is_an_error() {
        let unused = refusals("");
        assert_eq!(unused, ["deny.toml: no package has the allowed licence MIT"]);
    }

    #[test]
    fn a_policy_without_its_lists_is_an_error() {
        assert!(Policy::parse("licenses.allow = ['MIT']").is_err());
        assert!(Policy::parse("sources.allow-registry = []").is_err());
    }
}
