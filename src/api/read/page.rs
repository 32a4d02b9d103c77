//! Pages of lists: a page begins after the last thing of the page before, so what is added or removed meanwhile moves
//! nothing from one page to another.

use std::fmt::Display;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::api::problem::Problem;

/// Things on a page unless the request says otherwise.
pub(super) const PAGE: u32 = 100;
/// Most things on a page.
const PAGE_MAX: u32 = 1_000;

/// Reads the size of a page, and answers one more: whether there is another page.
pub(super) fn size(limit: u32) -> Result<usize, Problem> {
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    let detail = format!("limit {limit}: must be 1 to {PAGE_MAX}");
    Err(Problem::malformed(StatusCode::BAD_REQUEST, &detail))
}

/// Cuts `found` to a page; with the link to the next one, whose parameter `cursor` is what `last` says of the last
/// thing.
pub(super) fn cut<T, C: Display>(
    mut found: Vec<T>,
    (size, query): (usize, Option<&str>),
    (path, cursor): (&str, &str),
    last: impl Fn(&T) -> C,
) -> (HeaderMap, Vec<T>) {
    let mut headers = HeaderMap::new();
    if found.len() > size {
        found.truncate(size);
        let kept = query.unwrap_or_default().split('&');
        let kept = kept.filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(cursor));
        let next = found.last().map(|thing| format!("{cursor}={}", last(thing)));
        let query: Vec<String> = kept.map(str::to_owned).chain(next).collect();
        let link = format!("<{path}?{}>; rel=\"next\"", query.join("&"));
        headers.extend(HeaderValue::try_from(link).ok().map(|link| (header::LINK, link)));
    }
    (headers, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_keeps_the_filters_and_begins_after_the_last_thing() {
        let cut = |query: Option<&str>, size| cut(vec![3, 5, 7], (size, query), ("/x", "after"), |n| *n);
        let (headers, found) = cut(Some("realm=live&after=2&limit=2"), 2);
        assert_eq!(found, [3, 5]);
        assert_eq!(headers["link"], "</x?realm=live&limit=2&after=5>; rel=\"next\"");
        assert_eq!(cut(None, 1).0["link"], "</x?after=3>; rel=\"next\"");
        assert!(cut(None, 3).0.is_empty(), "the last page");
    }
}
