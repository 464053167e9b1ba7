//! `Retry-After`: how long the target asks to be left alone.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// What a 429 or a 503 asks for, from now on; `None` when it asks for nothing that can be read.
///
/// An instant is counted from the answer's own `Date` where it has one: the clocks of the two
/// machines need not agree.
pub(super) fn read(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    const ASKING: [StatusCode; 2] = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    if !ASKING.contains(&status) {
        return None;
    }
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than a number can hold is as long as can be; the policy bounds it.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = date(text)?;
    let from = header_date(headers, &DATE).unwrap_or_else(|| now.into());
    // What is past asks for nothing more.
    let wait = until.duration_since(from).unwrap_or_default();
    let rounded_up = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Some(Duration::from_secs(rounded_up))
}

fn header_date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    date(headers.get(name)?.to_str().ok()?)
}

fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_nothing_else() {
        let now: Timestamp = "2027-01-01T00:00:00.25Z".parse().unwrap();
        let date = "Fri, 01 Jan 2027 00:01:00 GMT";
        for (status, retry, date, want) in [
            (429, "120", "", Some(120)),
            (503, "120", "", Some(120)),
            (503, "0", "", Some(0)),
            (503, " 7 ", "", Some(7)),
            (503, "99999999999999999999999", "", Some(u64::MAX)),
            (503, "Fri, 01 Jan 2027 00:02:00 GMT", "", Some(120)),
            // By the server's own clock, which is a minute ahead.
            (503, "Fri, 01 Jan 2027 00:02:00 GMT", date, Some(60)),
            // The forms of old servers.
            (429, "Friday, 01-Jan-27 00:02:00 GMT", date, Some(60)),
            (429, "Fri Jan  1 00:02:00 2027", date, Some(60)),
            (503, "Fri, 01 Jan 2027 00:00:59 GMT", date, Some(0)),
            (503, "Sat, 01 Jan 2028 00:01:00 GMT", date, Some(31_536_000)),
            (503, "120", "no date", Some(120)),
            (503, "Fri, 01 Jan 2027 00:02:00 GMT", "no date", Some(120)),
            (503, "", "", None),
            (503, "-1", "", None),
            (503, "+1", "", None),
            (503, "1.5", "", None),
            (503, "soon", "", None),
            (503, "120s", "", None),
            (503, "2027-01-01T00:02:00Z", "", None),
            (500, "120", "", None),
            (200, "120", "", None),
            (301, "120", "", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, retry.parse().unwrap());
            if !date.is_empty() {
                headers.insert(DATE, date.parse().unwrap());
            }
            let status = StatusCode::from_u16(status).unwrap();
            let found = read(status, &headers, now).map(|wait| wait.as_secs());
            assert_eq!(found, want, "{status} {retry:?} {date:?}");
        }
        let none = HeaderMap::new();
        assert_eq!(read(StatusCode::SERVICE_UNAVAILABLE, &none, now), None);
    }
}
