use super::*;
use crate::guard::budget::Budget;

fn parsed(text: &str) -> Result<Node, RegexpError> {
    let chars: Vec<char> = text.chars().collect();
    parse(&chars, 0, chars.len())
}

fn matches(expression: &str, text: &str) -> bool {
    let node = parsed(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    Program::new(&node).unwrap().matches(&text.encode_utf16().collect::<Vec<_>>(), &Budget::new())
}

#[test]
fn expressions_match_whole_texts_as_in_ecmascript() {
    for (expression, yes, no) in [
        ("", &[""][..], &["a"][..]),
        ("abc", &["abc"], &["", "ab", "abcd", "xabc", "ABC"]),
        ("a|bc|", &["a", "bc", ""], &["abc", "b"]),
        ("(a|b)c", &["ac", "bc"], &["a", "c", "abc"]),
        ("(?<x>a)(?:b)", &["ab"], &["a"]),
        ("(?<_x1>a)(?<b_>b)", &["ab"], &["a"]),
        ("a*?b+?c??", &["b", "aabbc"], &["ac", "abcc"]),
        ("a{2}", &["aa"], &["a", "aaa"]),
        ("a{2,}", &["aa", "aaaa"], &["a"]),
        ("a{0,2}b{0}", &["", "a", "aa"], &["aaa", "b"]),
        ("(?:ab?){2,3}", &["aa", "abab", "aba", "aaab"], &["a", "bb", "aaaa"]),
        (".", &["a", "é", " "], &["\n", "\u{2028}", "", "\u{1f600}"]),
        ("..", &["\u{1f600}"], &[]),
        ("[a-c_.]", &["b", "_", "."], &["d", "-", "ab"]),
        ("[^a-c]", &["d", "\n", "-"], &["a", "", "dd"]),
        ("[^]", &["\n"], &[""]),
        ("[a-]", &["a", "-"], &["b"]),
        ("[\\w-.]", &["a", "-", ".", "_"], &["/", " "]),
        ("[+-\\d]", &["+", "-", "7"], &[",", "."]),
        ("[\\]\\\\^]", &["]", "\\", "^"], &["["]),
        ("\\d\\D\\w\\W\\s\\S", &["7a_- x", "0x0/\u{a0}\u{e9}"], &["aa_- x", "7a_-xx"]),
        ("\\x41\\u00e9\\.\\/\\-", &["Aé./-"], &["Aéx/-"]),
        ("^a$", &["a"], &["ab"]),
        ("a^b|a$b", &[], &["ab"]),
        ("(?=ab)a.*", &["ab", "abc"], &["ac", "a"]),
        ("(?!ab)a.*", &["ac", "a"], &["ab", "abc"]),
        ("(?:(?!xx).)+", &["x", "axbx"], &["xx", "axxb", ""]),
        ("(?!(?!a).).*", &["", "ab"], &["b"]),
        ("(?=.*\\d)(?=.*[a-z]).{3}", &["a1x", "1xx"], &["abc", "123", "a1"]),
        ("a(?=b|$).*", &["a", "ab"], &["ac"]),
        ("\\bab\\b.*", &["ab", "ab c", "ab-"], &["abc", "ab_"]),
        ("a\\Bb.*", &["ab"], &["a"]),
        (".\\ba", &["-a", "\u{e9}a"], &["xa", "_a"]),
        (".\\B-", &["--", "\u{e9}-"], &["a-", "_-"]),
        ("(?:a|b(?=c)|c)*", &["", "abc", "bcbc", "aacc"], &["b", "ba"]),
        ("(?:a+b)+", &["ab", "aabab"], &["a", "abb", ""]),
    ] {
        for text in yes {
            assert!(matches(expression, text), "{expression} {text:?}");
        }
        for text in no {
            assert!(!matches(expression, text), "{expression} {text:?}");
        }
    }
}

#[test]
fn where_case_does_not_matter_letters_do() {
    for (expression, yes, no) in [
        ("abc", &["abc", "ABC", "aBc"][..], &["abd", "ab", "xbc"][..]),
        ("[a-c]", &["b", "B"], &["d", "-", "1"]),
        ("[^a-c]", &["d", "D"], &["/b"]),
    ] {
        let program = Program::new(&parsed(expression).unwrap()).unwrap();
        let matches = |text: &str| {
            let text: Vec<AnyCase> = text.encode_utf16().map(AnyCase::new).collect();
            program.matches(&text, &Budget::new())
        };
        assert!(yes.iter().all(|text| matches(text)), "{expression}");
        assert!(!no.iter().any(|text| matches(text)), "{expression}");
    }
}

#[test]
fn a_new_state_costs_four_units_for_each_step_and_a_known_one_costs_one() {
    // A step for each character, and one for the end.
    let program = Program::new(&parsed("abcdefgh").unwrap()).unwrap();
    let text: Vec<u16> = "abcdefgh".encode_utf16().collect();
    let cost = || {
        let budget = Budget::new();
        assert!(program.matches(&text, &budget));
        budget.spent()
    };
    assert_eq!([cost(), cost()], [9 * 9 * 4, 9]);
    // The same where case does not matter.
    let text: Vec<AnyCase> = text.into_iter().map(AnyCase::new).collect();
    let cost = || {
        let budget = Budget::new();
        assert!(program.matches(&text, &budget));
        budget.spent()
    };
    assert_eq!([cost(), cost()], [9 * 9 * 4, 9]);
}

#[test]
fn a_program_with_more_states_than_are_kept_forgets_them_and_matches_the_same() {
    // Which of the first eight characters are "a" makes 256 states.
    let program = Program::new(&parsed("[ab]{7}a[ab]*").unwrap()).unwrap();
    for number in 0..1_u16 << 11 {
        let text: Vec<u16> = (0..11).map(|bit| if number >> bit & 1 == 1 { 0x61 } else { 0x62 }).collect();
        assert_eq!(program.matches(&text, &Budget::new()), text[7] == 0x61, "{number:b}");
    }
}

#[test]
fn a_text_matches_or_not_whatever_was_matched_before_it() {
    // The last ones are as far from "a" and from the first one as the rows of what is kept are from each other.
    let letters = ["\0", "a", "x", "-", "\u{80}", "\u{e1}", "\u{161}"];
    let longer = |texts: &[String]| -> Vec<String> {
        texts.iter().flat_map(|text| letters.map(|letter| format!("{text}{letter}"))).collect()
    };
    let one = letters.map(str::to_owned).to_vec();
    let two = longer(&one);
    let texts = [one, two.clone(), longer(&two)].concat();
    for expression in [
        "\u{e1}|xa",
        "\u{161}|-a|x\u{e1}",
        "\u{80}|x\0",
        "x\u{80}|-\0",
        ".\\b.*",
        "\\B.*a",
        "(?!\u{e1}|xa).*",
    ] {
        let known = Program::new(&parsed(expression).unwrap()).unwrap();
        for text in texts.iter().chain(texts.iter().rev()) {
            let units: Vec<u16> = text.encode_utf16().collect();
            assert_eq!(
                known.matches(&units, &Budget::new()),
                matches(expression, text),
                "{expression} {text}"
            );
        }
    }
}

#[test]
fn the_error_of_an_invalid_expression_names_the_position() {
    use RegexpProblem::{
        Backreference, BeyondBmp, CountOrder, EmptyClass, Escape, GroupName, Lookbehind, NothingToRepeat,
        RangeOrder, RepeatsAssertion, RepeatsEmpty, StrayBracket, StrayParenthesis, TooLarge,
        TrailingBackslash, UnclosedClass, UnclosedGroup, UnknownGroup,
    };
    for (expression, problem, at) in [
        ("a(b", UnclosedGroup, 1),
        ("a)b", StrayParenthesis, 1),
        ("a[b", UnclosedClass, 1),
        ("a[b\\]", UnclosedClass, 1),
        ("[]", EmptyClass, 0),
        ("x[b-a]", RangeOrder, 2),
        ("a{", StrayBracket, 1),
        ("a{,2}", StrayBracket, 1),
        ("{2}", StrayBracket, 0),
        ("a]", StrayBracket, 1),
        ("a}", StrayBracket, 1),
        ("*a", NothingToRepeat, 0),
        ("a**", NothingToRepeat, 2),
        ("a+{2}", StrayBracket, 2),
        ("x(a?)*", RepeatsEmpty, 1),
        ("(a|)+", RepeatsEmpty, 0),
        ("(?:(?=a))*", RepeatsEmpty, 0),
        ("(?=a)*", RepeatsAssertion, 5),
        ("\\b+", RepeatsAssertion, 2),
        ("a{3,2}", CountOrder, 1),
        ("a{1001}", TooLarge, 1),
        ("(?<=a)b", Lookbehind, 0),
        ("(?<!a)b", Lookbehind, 0),
        ("(?i:a)", UnknownGroup, 0),
        ("(?<1>a)", GroupName, 0),
        ("(?<a-b>c)", GroupName, 0),
        ("(?<>c)", GroupName, 0),
        ("(?<a>b)(?<a>c)", GroupName, 7),
        ("(a)\\1", Backreference, 3),
        ("\\k<a>", Backreference, 0),
        ("\\p{L}", Escape, 0),
        ("\\cA", Escape, 0),
        ("\\xg1", Escape, 0),
        ("\\u{61}", Escape, 0),
        ("\\0", Escape, 0),
        ("[\\b]", Escape, 1),
        ("a\\", TrailingBackslash, 1),
        ("[\u{1f600}]", BeyondBmp, 1),
    ] {
        assert_eq!(parsed(expression), Err(RegexpError { problem, at }), "{expression}");
    }
    // In exactly as many groups, and exactly as often, as is allowed.
    let deep = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    for (expression, problem) in [
        (deep(32), None),
        (deep(33), Some(TooLarge)),
        (deep(100), Some(TooLarge)),
        ("(a)".repeat(100), None),
        ("a{1000}".to_owned(), None),
        ("a{1001}".to_owned(), Some(TooLarge)),
        ("a{0,1000}".to_owned(), None),
        ("a{0,1001}".to_owned(), Some(TooLarge)),
        ("a{2,2}".to_owned(), None),
        ("a{2,1}".to_owned(), Some(CountOrder)),
        ("[a-a]".to_owned(), None),
        ("(?:a?|b?)*".to_owned(), Some(RepeatsEmpty)),
        ("(?:a?|b)*".to_owned(), Some(RepeatsEmpty)),
        ("(?:a|b?)*".to_owned(), Some(RepeatsEmpty)),
        ("(?:a|b)*".to_owned(), None),
    ] {
        assert_eq!(parsed(&expression).err().map(|error| error.problem), problem, "{expression}");
    }
    assert!(Program::new(&parsed("(?:(?:a{100}){100}){100}").unwrap()).is_err());
}

#[test]
fn sets_of_units_are_merged_and_inverted() {
    let set = Units::ranges([(5, 9), (0, 1), (2, 3), (8, 12), (u16::MAX, u16::MAX)]);
    assert_eq!(set, Units::ranges([(0, 3), (5, 12), (u16::MAX, u16::MAX)]));
    assert_eq!(set.not(), Units::ranges([(4, 4), (13, u16::MAX - 1)]));
    assert_eq!(set.not().not(), set);
    assert_eq!(Units::none().not().not(), Units::none());
    for unit in [0, 3, 4, 5, 12, 13, u16::MAX] {
        assert_ne!(set.contains(unit), set.not().contains(unit), "{unit}");
    }
}
