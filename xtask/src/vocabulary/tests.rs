use super::problems_in;

fn problems(file: &str, text: &str) -> Vec<String> {
    problems_in(file, file.rsplit('.').next().unwrap(), text).unwrap()
}

#[test]
fn an_old_name_is_found_wherever_it_is_declared() {
    for code in [
        "struct Told;",
        "enum A { Told }",
        "mod told {}",
        "fn told() {}",
        "impl A { fn told() {} }",
        "trait A { type Told; }",
        "struct A { told: u8 }",
        "fn a(told: u8) {}",
        "fn a() { let told = 1; }",
        "fn a() { |told| 1; }",
    ] {
        let found = problems("a.rs", code);
        assert_eq!(found.len(), 1, "{code}: {found:?}");
        assert!(found[0].starts_with("a.rs:1: `"), "{found:?}");
    }
}

#[test]
fn a_name_that_others_declare_may_be_used() {
    assert!(problems("a.rs", "fn a() { Poll::Ready(std::mem::take(&mut b)); }").is_empty());
    assert!(problems("a.rs", "fn a() { let lines = text.lines(); }").is_empty());
    assert_eq!(problems("a.rs", "mod lines;").len(), 1);
}

#[test]
fn an_old_file_name_is_found() {
    assert_eq!(
        problems("src/told.rs", ""),
        ["src/told.rs: a file called `told`: call it `what was sent, or said`"]
    );
    assert_eq!(problems("src/glue.js", "").len(), 1);
}

#[test]
fn an_old_event_is_found_between_quotes_and_a_new_one_is_not() {
    assert_eq!(problems("a.rs", r#"const A: &str = "grant_gone";"#).len(), 1);
    assert!(problems("a.rs", r#"const A: &str = "refresh_token_invalid";"#).is_empty());
}

#[test]
fn an_old_phrase_is_found_in_prose_also_where_a_line_ends_in_it() {
    assert_eq!(problems("a.md", "It is for Whoever asks.").len(), 1);
    assert_eq!(problems("a.rs", "// and nobody\n// is there").len(), 1);
    assert_eq!(problems("a.rs", "const A: &str = \"how: the mend\";").len(), 1);
    assert!(problems("a.md", "The nobodyism").is_empty());
}

#[test]
fn a_word_is_found_whole() {
    assert!(problems("a.rs", "struct ToldYou; struct Untold;").is_empty());
}
