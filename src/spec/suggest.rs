//! The nearest known word to a mistyped one.

/// The word that was most probably meant, if one is near enough.
pub(super) fn nearest<'w>(typed: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    // Nobody mistypes a key of a hundred letters, and the distance costs length × length.
    if typed.is_empty() || typed.len() > 40 {
        return None;
    }
    let folded = typed.to_ascii_lowercase().replace('-', "_");
    known
        .filter_map(|word| {
            let distance = strsim::osa_distance(&folded, &word.to_ascii_lowercase());
            let bound = (word.len().max(folded.len()) / 3).clamp(1, 3);
            (distance <= bound && distance < word.len()).then_some((distance, word))
        })
        .min_by_key(|(distance, word)| (*distance, *word))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_another_word_is_not() {
        let known = ["schedule", "timezone", "run", "exec", "kill_grace", "env"];
        for (typed, expected) in [
            ("shedule", Some("schedule")),
            ("schedul", Some("schedule")),
            ("time_zone", Some("timezone")),
            ("killgrace", Some("kill_grace")),
            ("kill-grace", Some("kill_grace")),
            ("Run", Some("run")),
            ("rnu", Some("run")),
            ("completely", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, known.into_iter()), expected, "{typed}");
        }
    }
}
