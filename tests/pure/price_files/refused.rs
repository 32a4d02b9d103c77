//! Files that are refused, and the advice.

use super::*;

#[test]
fn what_cannot_be_told_or_cannot_be_is_refused_by_name() {
    for (text, said) in [
        (
            "time,price\n5,1\n10,2\n",
            "line 2: '5' was read as 1970-01-01T00:00:05Z, which is before 2009",
        ),
        ("1,1\n2,1\n", "line 1: '1' was read as 1970-01-01T00:00:01Z"),
        (
            "date,price\n260304,1\n",
            "'260304' was read as 1970-01-04T00:18:24Z, which is before 2009",
        ),
        (
            "date,price\n2003-03-04,1\n",
            "'2003-03-04' was read as 2003-03-04T00:00:00Z, which is before 2009",
        ),
        (
            "date,price\n2062-03-04,1\n",
            "2062-03-04T00:00:00Z, which is later than tomorrow",
        ),
        (
            "time,price\n4102444800000,1\n",
            "2100-01-01T00:00:00Z, which is later than tomorrow",
        ),
        ("date,price\n03/04/26,1\n", "'03/04/26' is no time"),
        (
            "time,price\n1.77270E+12,1\n",
            "scientific notation, which has lost digits",
        ),
        (
            "date;price\n2026-03-04;1,234\n2026-03-05;1,235\n",
            "'1,234': the comma may begin decimals or part thousands",
        ),
        (
            "date;price\n2026-03-04;1,5\n2026-03-05;1.5\n",
            "line 3: '1.5' is no price",
        ),
        (
            "date,price\n2026-03-04,1,5\n2026-03-05,x\n",
            "line 2: 3 columns, where the first line has 2",
        ),
        ("date,close\n2026-03-04,null\n", "'null' is no price"),
        (
            "time,close (EUR)\n2026-03-04,1\n",
            "line 1 has the columns time, close (EUR); write a header",
        ),
        ("{\"prices\": []}", "JSON"),
        ("<!DOCTYPE html>", "a web page"),
        ("PK\u{3}\u{4}", "unpack it"),
        (
            "a title, and more\ndate,price\n2026-03-04,1\n",
            "line 1 has the columns a title, and more",
        ),
        (
            "date,price\n\"2026-03-04,1\n",
            "line 2: a quote is opened and not closed",
        ),
        ("", "the file is empty"),
    ] {
        let error = read(text).expect_err(text);
        assert!(error.contains(said), "{text:?}: {error}");
    }
    let utf16: Vec<u8> = "\u{feff}time,price\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let error = read(utf16).expect_err("UTF-16");
    assert!(error.contains("UTF-16"), "{error}");
}

#[test]
fn advice_is_good_advice() {
    // What a message says to write is read.
    for text in [
        "time,price\n2026-01-31T12:00:00Z,0.0123\n",
        "date,close\n2026-01-31,1234.5\n",
        "unix,price\n1769860800,1\n1769860800000,1\n",
        "timestamp,close\n2026-01-31,1\n",
    ] {
        assert!(read(text).is_ok(), "{text}");
    }
}

#[test]
fn an_hour_in_a_column_of_its_own_is_an_hour() {
    let text = "date,hour,close\n2026-03-05,9,2.25\n2026-03-05,10,2.5\n2026-03-05,23,2.75\n";
    let rows = [
        ("2026-03-05T10:00:00", "2.25"),
        ("2026-03-05T11:00:00", "2.5"),
        ("2026-03-06T00:00:00", "2.75"),
    ];
    assert_rows("hours", text, &rows);
}

#[test]
fn a_decimal_comma_in_a_file_without_a_header_is_never_cut_off() {
    let refused = read("2026-03-03,1\n2026-03-04,1,5\n").expect_err("two prices in one row");
    assert!(
        refused.contains("line 2: 3 columns, where the first line has 2"),
        "{refused}"
    );
}
