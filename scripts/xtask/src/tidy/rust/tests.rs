use super::*;

#[test]
fn comments_and_the_insides_of_literals_are_no_code() {
    for text in [
        "// hidden",
        "/* hidden /* hidden */ hidden */",
        "\"hidden \\\" hidden\"",
        "r#\"hidden \" hidden\"#",
        "br\"hidden\\\"",
        "b\"hidden\"",
        "/// hidden \"",
    ] {
        let rust = Rust::new(&format!("before();\n{text}\nafter();\n"));
        assert!(rust.lines_with("hidden").is_empty(), "{text}: {}", rust.code);
        assert_eq!((rust.lines_with("before"), rust.lines_with("after")), (vec![1], vec![3]), "{text}");
    }
}

#[test]
fn characters_are_told_from_lifetimes() {
    let rust = Rust::new("fn a<'l>(c: &'l str) { c == '{' || c == '\\'' || c == '\"' || c == 'ü'; shown() }");
    assert_eq!(rust.lines_with("shown"), [1]);
    assert_eq!(rust.functions(), [Function { name: "a".into(), line: 1, lines: 1 }]);
}

#[test]
fn a_word_is_found_only_whole() {
    let rust = Rust::new("unsafe_code\nnot_unsafe\nunsafe {\n");
    assert_eq!(rust.lines_with("unsafe"), [3]);
    assert_eq!(Rust::new("a.unwrap()\na.unwrap_or()").lines_with(".unwrap("), [1]);
}

#[test]
fn what_is_compiled_for_tests_is_marked() {
    let text =
        "fn a() {}\n#[cfg(test)]\n#[rustfmt::skip]\nfn b() {\n}\nfn c() {}\n#[cfg(test)]\nmod tests {\n}\n";
    let rust = Rust::new(text);
    let marked: Vec<usize> = (1..=9).filter(|line| rust.is_test(*line)).collect();
    assert_eq!(marked, [2, 3, 4, 5, 7, 8, 9]);
    assert_eq!(rust.production_lines(), 2);
    assert!(rust.test_modules.is_empty());
}

#[test]
fn code_for_tests_or_benches_is_told_from_code_for_other_conditions() {
    for condition in ["not(test)", "unix", "any(test, unix)", "feature = \"other\""] {
        let rust = Rust::new(&format!("#[cfg({condition})]\nmod a {{}}\n"));
        assert!(!rust.is_test(2), "{condition}");
    }
    for condition in ["test", "all(test, unix)", "feature = \"bench\"", "any(test, feature = \"bench\")"] {
        let rust = Rust::new(&format!("#[cfg({condition})]\nmod a {{}}\n"));
        assert!(rust.is_test(2), "{condition}");
    }
}

#[test]
fn modules_declared_for_tests_are_named() {
    let text =
        "#[cfg(test)]\nmod tests;\n#[cfg(test)]\n#[path = \"x_tests.rs\"]\npub(crate) mod more;\nmod own;\n";
    let module =
        |name: &str, path: Option<&str>| TestModule { name: name.into(), path: path.map(Into::into) };
    assert_eq!(Rust::new(text).test_modules, [module("tests", None), module("more", Some("x_tests.rs"))]);
}

#[test]
fn functions_are_measured_from_their_name_to_their_brace() {
    let text = "fn a(\n  x: [u8; 2],\n) -> Vec<(u8, u8)>\nwhere\n  F: Fn(u8) -> u8,\n{\n  if x { y }\n}\n\
                trait T { fn b(&self); }\nlet f: fn(u8) = c;\n";
    assert_eq!(Rust::new(text).functions(), [Function { name: "a".into(), line: 1, lines: 8 }]);
}
