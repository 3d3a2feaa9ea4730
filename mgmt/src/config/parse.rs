//! Text to a tree of TOML. A long text is parsed in two halves side by side: its second half begins with a service, which
//! is as good as any place can be, since nothing but services makes a file long.

use dataplane::at_once;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

/// Shorter ones are parsed before a thread would have been started.
const LONG: usize = 1 << 20;

const HEADER: &str = "\n[[service]]";

/// A text, and what its halves are parsed from.
pub(super) struct Halves<'t> {
    text: &'t str,
    /// The first half; the second one, with blanks for the first so that places in it are those in the text.
    halves: Option<(&'t str, String)>,
}

impl<'t> Halves<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self::longer_than(LONG, text)
    }

    fn longer_than(long: usize, text: &'t str) -> Self {
        Self { text, halves: (text.len() > long).then(|| split(text)).flatten() }
    }

    /// The tree, and all that is no TOML.
    pub(super) fn parse(&self) -> (Spanned<DeTable<'_>>, Vec<Error>) {
        // With anything unexpected, what is said about it has to be about the text as a whole.
        self.side_by_side().unwrap_or_else(|| DeTable::parse_recoverable(self.text))
    }

    fn side_by_side(&self) -> Option<(Spanned<DeTable<'_>>, Vec<Error>)> {
        let (first, second) = self.halves.as_ref()?;
        let (first, second) = at_once(|| DeTable::parse(first), || DeTable::parse(second));
        let (mut first, mut second) = (first.ok()?, second.ok()?);
        let more = second.get_mut().remove("service").filter(|_| second.get_ref().is_empty())?.into_inner();
        let DeValue::Array(more) = more else { return None };
        let services = first.get_mut().get_mut("service")?;
        // Not a list in brackets, which nothing may be added to.
        let is_by_headers = self.text[services.span().start..].starts_with(HEADER.trim_start());
        let DeValue::Array(services) = services.get_mut() else { return None };
        if !is_by_headers {
            return None;
        }
        more.into_iter().for_each(|service| services.push(service));
        Some((first, Vec::new()))
    }
}

/// Where a service begins behind the middle, and one before it: `service` is a list of tables then, to which the second
/// half may add.
fn split(text: &str) -> Option<(&str, String)> {
    let mut middle = text.len() / 2;
    while !text.is_char_boundary(middle) {
        middle += 1;
    }
    let (before, behind) = text.split_at(middle);
    let at = middle + behind.find(HEADER)? + 1;
    before.contains(HEADER).then(|| {
        let mut second = " ".repeat(at);
        second.push_str(&text[at..]);
        (&text[..at], second)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "[node]\nname = \"ä\"\n\n";

    fn service(name: &str) -> String {
        format!("[[service]]\nname = \"{name}\"\n[[service.backend]]\naddress = \"10.0.0.1\"\n")
    }

    /// A tree or errors, in words that have all places in them.
    fn told((tree, errors): (Spanned<DeTable<'_>>, Vec<Error>)) -> String {
        format!("{tree:#?}\n{errors:#?}")
    }

    #[test]
    fn halves_give_the_tree_of_the_whole_with_the_same_places() {
        for count in [2, 3, 7, 50] {
            let services = (0..count).map(|n| service(&format!("s{n}"))).collect::<String>();
            let text = format!("{HEAD}{services}");
            let halves = Halves::longer_than(0, &text);
            let (tree, errors) = halves.side_by_side().unwrap();
            let (whole, _) = DeTable::parse_recoverable(&text);
            assert!(errors.is_empty());
            let items = |tree: &Spanned<DeTable<'_>>| {
                let services = tree.get_ref().get("service").unwrap().get_ref().as_array().unwrap();
                services.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>()
            };
            assert_eq!(items(&tree), items(&whole), "{count}");
            assert_eq!(tree.get_ref().len(), whole.get_ref().len());
        }
    }

    #[test]
    fn what_cannot_be_split_is_parsed_as_a_whole() {
        let (one, two) = (service("a"), service("b"));
        let quoted = format!("{HEAD}{one}text = \"\"\"\n{}\n\"\"\"\n", two.repeat(3));
        let texts = [
            format!("{HEAD}{one}"),
            format!("{HEAD}{one}{two}[node]\nname = \"twice\"\n"),
            format!("{HEAD}{one}{two}[metrics]\nlisten = \"127.0.0.1:9\"\n"),
            format!("{HEAD}{one}{two}{two}address = \"10.0.0.2\"\n"),
            format!("{HEAD}{one}[[service]\n{two}{two}"),
            format!("service = []\n{two}{two}{two}"),
            format!("{HEAD}service = 3\n{two}"),
            format!(
                "service = [{{ name = \"\"\"\n[[service]]\n\"\"\" }}]\ntext = \"{}\"\n{two}",
                "x".repeat(200)
            ),
            quoted,
        ];
        for text in texts {
            let halves = Halves::longer_than(0, &text);
            assert!(halves.side_by_side().is_none(), "{text}");
            assert_eq!(told(halves.parse()), told(DeTable::parse_recoverable(&text)), "{text}");
        }
        assert!(Halves::new(&service("a").repeat(100)).halves.is_none(), "short");
    }
}
