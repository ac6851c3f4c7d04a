use std::path::Path;

use super::{report, rules};

const ROOMS: &[&str] = &["low", "middle", "high"];

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/layers/fixtures")
}

/// The problems of a fixture with the rooms [`ROOMS`].
fn problems(fixture: &str) -> Vec<String> {
    problems_of(fixture, Some(ROOMS))
}

fn problems_of(fixture: &str, rooms: Option<&[&str]>) -> Vec<String> {
    let found = rules::problems(&fixtures(), fixture, rooms).unwrap();
    [found.between_rooms, found.inside_rooms].concat()
}

/// Asserts that the only problem of a fixture is an import of `high` by `low`, at `place` and by the path `written`.
#[track_caller]
fn assert_upward(fixture: &str, place: &str, written: &str) {
    let expected = format!(
        "{fixture}/{place}: `{written}` — room `low` may not import `high`, which comes after it in the order of rooms"
    );
    assert_eq!(problems(fixture), [expected]);
}

#[test]
fn an_import_of_a_later_room_is_a_problem() {
    assert_upward("import", "low.rs:3", "crate::high::Thing");
}

#[test]
fn a_path_with_super_super_is_resolved_to_another_room() {
    assert_upward("super_super", "low/inner.rs:1", "super::super::high::Thing");
}

#[test]
fn a_path_that_begins_with_self_is_resolved_to_another_room() {
    assert_upward("self_path", "low.rs:1", "self::super::high::Thing");
}

#[test]
fn a_path_in_an_expression_is_an_import() {
    assert_upward("expression", "low.rs:2", "crate::high::LIMIT");
}

#[test]
fn a_path_in_a_type_is_an_import() {
    assert_upward("type_position", "low.rs:2", "super::high::Thing");
}

#[test]
fn a_path_in_a_trait_bound_is_an_import() {
    assert_upward("bound", "low.rs:1", "crate::high::Thing");
}

#[test]
fn a_path_in_a_pattern_is_an_import() {
    assert_upward("pattern", "low.rs:3", "crate::high::LIMIT");
}

#[test]
fn a_path_in_the_tokens_of_a_macro_is_an_import() {
    assert_upward("macro_tokens", "low.rs:4", "crate::high::LIMIT");
}

#[test]
fn a_use_of_a_macro_that_is_in_scope_without_an_import_counts_as_an_import() {
    assert_upward("textual_macro", "low.rs:2", "loud!");
}

#[test]
fn a_module_is_read_from_the_file_in_its_path_attribute() {
    assert_upward("path_attribute", "elsewhere/ground.rs:1", "crate::high::Thing");
}

#[test]
fn a_glob_is_an_import_and_so_is_a_name_from_it() {
    let problems = problems("glob");
    assert!(problems[0].starts_with("glob/low.rs:1: `crate::high::*` — "), "{problems:?}");
    assert!(problems[1].starts_with("glob/low.rs:3: `Thing` — "), "{problems:?}");
    assert_eq!(problems.len(), 2);
}

#[test]
fn an_import_inside_a_block_counts_and_so_does_a_path_through_it() {
    let problems = problems("block_import");
    assert!(problems[0].starts_with("block_import/low.rs:2: `crate::high` — "), "{problems:?}");
    assert!(problems[1].starts_with("block_import/low.rs:3: `high::LIMIT` — "), "{problems:?}");
    assert_eq!(problems.len(), 2);
}

#[test]
fn an_import_of_a_room_under_another_name_counts_for_that_room() {
    let problems = problems("renamed");
    assert!(problems[0].starts_with("renamed/low.rs:1: `crate::high` — "), "{problems:?}");
    assert!(problems[1].starts_with("renamed/low.rs:3: `upstairs::Thing` — "), "{problems:?}");
    assert_eq!(problems.len(), 2);
}

#[test]
fn each_import_of_a_group_is_checked_separately() {
    let problems = problems("grouped");
    assert!(problems[0].starts_with("grouped/low.rs:2: `crate::high` — room `low` may not import `high`"));
    assert!(problems[1].starts_with("grouped/low.rs:2: `crate::high::Thing` — "));
    assert!(problems[2].starts_with("grouped/low.rs:3: `crate::middle::Nothing` — "));
    assert!(problems[3].starts_with("grouped/low.rs:7: `high::make` — "));
    assert_eq!(problems.len(), 4);
}

#[test]
fn an_import_in_an_inner_module_is_followed() {
    let problems = problems("imported_module");
    assert!(problems[0].starts_with("imported_module/low.rs:2: `crate::high` — "), "{problems:?}");
    assert!(problems[1].starts_with("imported_module/low.rs:5: `inner::high::Thing` — "), "{problems:?}");
    assert_eq!(problems.len(), 2);
}

#[test]
fn a_re_export_counts_for_the_room_that_defines_the_item() {
    assert_eq!(
        problems("re_export"),
        [
            "re_export/low.rs:1: `crate::Thing` — room `low` may not import `high`, which comes after it in the order of rooms \
          (re_export/lib.rs re-exports it from re_export/high.rs)"
        ]
    );
}

#[test]
fn a_re_export_in_a_later_room_counts_even_if_an_earlier_room_defines_the_item() {
    assert_eq!(
        problems("through_a_higher_room"),
        [
            "through_a_higher_room/middle.rs:1: `crate::high::Base` — room `middle` may not import `high`, which \
          comes after it in the order of rooms (through_a_higher_room/high.rs re-exports it from through_a_higher_room/low.rs)"
        ]
    );
}

#[test]
fn a_room_may_not_import_the_root_of_the_crate() {
    assert_eq!(
        problems("root"),
        ["root/low.rs:1: `crate::Whole` — room `low` may not import `root/lib.rs`, the root of the crate"]
    );
}

#[test]
fn rooms_without_an_order_may_not_form_a_cycle() {
    assert_eq!(
        problems_of("circle_of_rooms", None),
        ["a cycle of 2 rooms:\n  \
          circle_of_rooms/high/one.rs:2: `crate::low::low` — `high` uses `low`\n  \
          circle_of_rooms/low.rs:1: `crate::high::two::two` — `low` uses `high`"]
    );
}

#[test]
fn files_of_one_room_may_not_form_a_cycle() {
    assert_eq!(
        problems("circle_of_files"),
        ["a cycle of 3 files:\n  \
          circle_of_files/high/one.rs:1: `super::two::Two` — `circle_of_files/high/one.rs` uses \
          `circle_of_files/high/two.rs`\n  \
          circle_of_files/high/two.rs:3: `three::Three` — `circle_of_files/high/two.rs` uses \
          `circle_of_files/high/three.rs`\n  \
          circle_of_files/high/three.rs:1: `super::one::One` — `circle_of_files/high/three.rs` uses \
          `circle_of_files/high/one.rs`"]
    );
}

#[test]
fn a_module_and_its_child_may_not_use_each_other() {
    assert_eq!(
        problems("circle_of_parent_and_child"),
        ["a cycle of 2 files:\n  \
          circle_of_parent_and_child/high.rs:6: `child::thing` — `circle_of_parent_and_child/high.rs` uses \
          `circle_of_parent_and_child/high/child.rs`\n  \
          circle_of_parent_and_child/high/child.rs:1: `super::Thing` — \
          `circle_of_parent_and_child/high/child.rs` uses `circle_of_parent_and_child/high.rs`"]
    );
}

#[test]
fn a_module_that_names_an_item_it_re_exports_uses_the_child() {
    assert_eq!(
        problems("parents_own_mention"),
        ["a cycle of 2 files:\n  \
          parents_own_mention/high.rs:6: `Part` — `parents_own_mention/high.rs` uses \
          `parents_own_mention/high/child.rs`\n  \
          parents_own_mention/high/child.rs:1: `super::*` — `parents_own_mention/high/child.rs` uses \
          `parents_own_mention/high.rs`"]
    );
}

#[test]
fn a_room_that_is_missing_in_the_table_is_a_problem() {
    assert_eq!(
        problems("unknown_room"),
        ["unknown_room/lib.rs:1: room `attic` of unknown_room is missing in xtask/src/layers/mod.rs: \
          add it to `CRATES`"]
    );
}

#[test]
fn a_module_that_re_exports_items_of_its_children_does_not_use_them() {
    assert_eq!(problems("re_export_of_children"), [""; 0]);
}

#[test]
fn a_child_module_may_use_a_re_export_of_its_parent_for_its_sibling() {
    assert_eq!(problems("sibling_through_parent"), [""; 0]);
}

#[test]
fn tests_may_import_later_rooms() {
    assert_eq!(problems("tests_import_upwards"), [""; 0]);
}

#[test]
fn variables_fields_and_other_crates_with_the_name_of_a_room_do_not_count() {
    assert_eq!(problems("other_names"), [""; 0]);
}

#[test]
fn a_crate_without_a_root_is_an_error() {
    let error = rules::problems(&fixtures(), "no_such_crate", None).unwrap_err();
    assert_eq!(error.to_string(), "no_such_crate: there is neither lib.rs nor main.rs");
}

#[test]
fn each_edge_is_printed_with_its_number_of_references_and_the_first_place() {
    assert_eq!(
        report::edges(&fixtures(), "grouped", super::Detail::Rooms).unwrap(),
        "grouped\nlow -> high  (3, first at grouped/low.rs:2)\nlow -> middle  (1, first at grouped/low.rs:3)\n"
    );
}
