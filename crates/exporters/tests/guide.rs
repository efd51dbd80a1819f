//! The guide's list of metrics is the one of the tables.

use std::path::Path;

const BEGIN: &str = "<!-- generated from the tables: begin -->\n\n";
const END: &str = "<!-- generated from the tables: end -->";

#[test]
fn the_list_of_metrics_in_the_guide_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/metrics.md");
    let page = std::fs::read_to_string(&path).expect("the page is there");
    let (before, rest) = page.split_once(BEGIN).expect("the list begins");
    let (list, after) = rest.split_once(END).expect("the list ends");
    let wanted = exporters::catalogue::guide();
    if list != wanted {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("metrics.md");
        std::fs::write(&fresh, format!("{before}{BEGIN}{wanted}{END}{after}")).expect("a writable folder");
        panic!("docs/guide/metrics.md has an old list; the new page is {}", fresh.display());
    }
}
