//! docs/pages.md, with the texts of the pages.

use std::fmt::Write;

use vestibule_core::texts::Text;
use vestibule_core::texts::languages::english;

use super::markdown::cell;

const PAGE: &str = include_str!("pages/page.md");

#[test]
fn the_table_of_texts_is_up_to_date() {
    super::check_document("docs/pages.md", &PAGE.replace("TABLE\n", &table()));
}

fn table() -> String {
    let mut table = "| text | in English |\n|---|---|\n".to_owned();
    for text in Text::ALL {
        writeln!(table, "| `{}` | {} |", text.key(), cell(text.of(english()))).unwrap();
    }
    table
}
