//! The report: what is in the page, and what a browser makes of it.
#![expect(clippy::expect_used, reason = "what cannot go on in a test fails it")]

mod fixture;

#[test]
fn write_it() {
    for (name, size) in [("quarter", fixture::Size::QUARTER)] {
        std::fs::write(
            format!("/tmp/report-{name}.html"),
            lgi_mm::report::page(&fixture::result(size)).expect("a page"),
        )
        .expect("written");
    }
}
