//! The layout of texts: one by one, and of what is drawn.

use proptest::prelude::*;

use super::*;

/// The layout, which is laid out itself and says what the text said.
fn laid(text: &str) -> String {
    let laid = match layout(text) {
        Layout::Changed(laid) => laid,
        Layout::Same => text.to_owned(),
        Layout::Left(reason) => panic!("{reason}: {text:?}"),
    };
    assert_eq!(layout(&laid), Layout::Same, "again:\n{text}\nis\n{laid}");
    laid
}

#[test]
fn each_thing_has_its_place() {
    for (what, text, want) in [
        ("nothing", "", ""),
        ("empty lines", "\n\n", ""),
        ("a comment", "#  a\n#b\n#!c\n#\n", "#  a\n# b\n#!c\n#\n"),
        (
            "levels of any depth",
            "jobs:\n    a:\n         run: x\n         env:\n          A: b\n",
            "jobs:\n  a:\n    run: x\n    env:\n      A: b\n",
        ),
        (
            "blanks around colons",
            "jobs :\n  a:\n    run  :   x\n    \"timeout\" : 5m\n",
            "jobs:\n  a:\n    run: x\n    \"timeout\": 5m\n",
        ),
        (
            "lists below their key, which may stand where it stands",
            "a:\n- 1\n-   - 2\n    -  3\n-\n   b: c\n   d: e\nf: g\n",
            "a:\n  - 1\n  - - 2\n    - 3\n  -\n    b: c\n    d: e\nf: g\n",
        ),
        (
            "a list as the whole",
            "-   a:  1\n    b: 2\n- c\n",
            "- a: 1\n  b: 2\n- c\n",
        ),
        (
            "brackets",
            "a: {b: [ 1 ,2,3 ],  c : {}, d: { }, e: [ ]}\n",
            "a: { b: [1, 2, 3], c: {}, d: {}, e: [] }\n",
        ),
        (
            "brackets over several lines",
            "a: [\n      {x: 1,\n  y: 2},\n # why\n   3,   # because\n]\nb:\n  - {\n   c: d\n   }\n  -\n    [ 1,\n    2 ]\n",
            "a: [\n    { x: 1,\n      y: 2 },\n    # why\n    3,   # because\n  ]\nb:\n  - {\n      c: d\n    }\n  -\n    [1,\n      2]\n",
        ),
        (
            "values that somebody forgot, and such in brackets",
            "a:\nb: {c: , d, e:}\nf: [a: ]\n",
            "a:\nb: { c: , d, e: }\nf: [a: ]\n",
        ),
        (
            "lines of text move as one",
            "jobs:\n   a:\n      run: |\n            set -e\n              x\n\n            y   \n   b: {run: z}\n",
            "jobs:\n  a:\n    run: |\n      set -e\n        x\n\n      y   \n\n  b: { run: z }\n",
        ),
        (
            "lines of text with all that may be said of them",
            "a:\n - |2-   # why\n     x\n    y\n - >+\n  f\n\n - |+\n\n\nb: |\nc: |1\n  d\n# end\n",
            "a:\n  - |2-   # why\n      x\n     y\n  - >+\n    f\n\n  - |+\n\n\nb: |\nc: |1\n  d\n# end\n",
        ),
        (
            "values of several lines",
            "a: one  \n   two\n\n   three\nb: \"x \\\n     y\\ \n  z\"\nc:\n      'p\n\n\n q'\n",
            "a: one\n  two\n\n  three\nb: \"x \\\n  y\\ \n  z\"\nc:\n  'p\n\n\n  q'\n",
        ),
        (
            "anchors, aliases, tags",
            "x-a:   &a   {b: 1}\nx-c: &c\n    <<:  *a\n    *a : 2\nd: !!str   5\ne:\n   &e\n   f: g\n",
            "x-a: &a { b: 1 }\n\nx-c: &c\n  <<: *a\n  *a : 2\nd: !!str 5\ne:\n  &e\n  f: g\n",
        ),
        (
            "comments at each odd place",
            "# top\na:   # beside\n    # before b\n    b: 1  #c\n  # after b, left\n     # after b, right\n       # after b, deep\n    c:\n      # the only thing in c\n    d:\n     # below d\n       - 1\n     # in the list\n       - 2\n       # at its end\n    # at the end of a\n# the end",
            "# top\na:   # beside\n  # before b\n  b: 1  # c\n# after b, left\n  # after b, right\n    # after b, deep\n  c:\n    # the only thing in c\n  d:\n    # below d\n    - 1\n  # in the list\n    - 2\n    # at its end\n  # at the end of a\n# the end\n",
        ),
        (
            "a mark, CR LF, CR, blanks at the end, no end",
            "\u{feff}a:  1\t\r\nb: |\r\n    x\r\n    y\r\nc: \"p\r\n  q\"\rd: 2",
            "a: 1\nb: |\n  x\n  y\nc: \"p\n  q\"\nd: 2\n",
        ),
        (
            "what was taken out of something that is empty now",
            "jobs: {}\n    # a:\n    #   run: x\n",
            "jobs: {}\n  # a:\n  #   run: x\n",
        ),
        (
            "long strings stay on their lines",
            &format!("a:  {}\n", "word ".repeat(100)),
            &format!("a: {}word\n", "word ".repeat(99)),
        ),
        (
            "tabs where they may stand",
            "a: \tb\t# c\nd: [\t1,\t2 ]\n",
            "a: b # c\nd: [1, 2]\n",
        ),
        (
            "text beyond ASCII",
            "\"é\" : &ü   ß\nb:   [ \"日本\" ,x ]  # é\n",
            "\"é\": &ü ß\nb: [\"日本\", x]  # é\n",
        ),
    ] {
        assert_eq!(laid(text), want, "{what}");
    }
}

#[test]
fn jobs_and_the_parts_of_a_file_are_apart_when_they_are_long() {
    for (what, text, want) in [
        (
            "short ones may stand close",
            "jobs:\n  a: { run: x }\n  b: { run: x }\n",
            "jobs:\n  a: { run: x }\n  b: { run: x }\n",
        ),
        (
            "a long one has room on both sides, and several empty lines are one",
            "jobs:\n  a: { run: x }\n  b:\n    run: x\n  c: { run: x }\n\n\n\n  d: { run: x }\n",
            "jobs:\n  a: { run: x }\n\n  b:\n    run: x\n\n  c: { run: x }\n\n  d: { run: x }\n",
        ),
        (
            "a comment goes with the job below it, or with the one whose keys it stands beside",
            "jobs:\n  a:\n    run: x\n    # retry: 1\n  # b is odd\n  b:\n    run: x\n",
            "jobs:\n  a:\n    run: x\n    # retry: 1\n\n  # b is odd\n  b:\n    run: x\n",
        ),
        (
            "parts of a file; what elder does not know stays as it is",
            "defaults:\n  timeout: 5m\njobs:\n  a: { run: x }\nkind: X\ndata:\n  a: b\n",
            "defaults:\n  timeout: 5m\n\njobs:\n  a: { run: x }\nkind: X\ndata:\n  a: b\n",
        ),
        (
            "a mapping of that name elsewhere is none of it",
            "x-y:\n  jobs:\n    a:\n      run: x\n    b:\n      run: x\n",
            "x-y:\n  jobs:\n    a:\n      run: x\n    b:\n      run: x\n",
        ),
    ] {
        assert_eq!(laid(text), want, "{what}");
    }
}

#[test]
fn what_is_not_understood_is_left_alone() {
    for (text, want) in [
        ("? a\n:   b\n", "`?`"),
        ("{a: b}:   c\n", "lists or mappings"),
        (":   c\n", "empty"),
        ("--- |\n  a\n", "one text"),
        ("a:   [\n", "no YAML"),
        ("a:  b\n c:  d\n", "no YAML"),
    ] {
        match layout(text) {
            Layout::Left(reason) => assert!(reason.contains(want), "{text:?}: {reason}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
    assert_eq!(
        laid("%YAML 1.2\n---   # one\na:   1\n...\n# two\n---\n-   b\n"),
        "%YAML 1.2\n---   # one\na: 1\n...\n# two\n---\n- b\n"
    );
}

#[test]
fn a_change_is_shown_with_what_is_around_it() {
    let old = "a: 1\nb: 2\nc: 3\nd: 4\ne:   5\n\n\nf: 6\ng: 7\nh: 8\ni: 9\nj: 10\nk: 11\nl: 12\nm: 13\nn:  14";
    let Layout::Changed(new) = layout(old) else {
        panic!("nothing to do")
    };
    assert_eq!(
        diff("a.yaml", old, &new),
        "--- a.yaml\n+++ a.yaml (elder fmt)\n\
         @@ -2,9 +2,8 @@\n b: 2\n c: 3\n d: 4\n-e:   5\n+e: 5\n \n-\n f: 6\n g: 7\n h: 8\n\
         @@ -13,4 +12,4 @@\n k: 11\n l: 12\n m: 13\n-n:  14\n\\ No newline at end of file\n+n: 14\n"
    );
    let ends = diff("a.yaml", "\u{feff}a: 1\r\n", "a: 1\n");
    assert_eq!(
        ends,
        "--- a.yaml\n+++ a.yaml (elder fmt)\n# the byte order mark goes\n# lines end in LF, not in CR LF\n"
    );
}

/// A text that is drawn, with how much was written of what.
struct Drawing<'b> {
    bytes: std::iter::Copied<std::slice::Iter<'b, u8>>,
    text: String,
    comments: usize,
    anchors: usize,
}

impl Drawing<'_> {
    /// A number below `most`; 0 when there is nothing left to draw from.
    fn dice(&mut self, most: usize) -> usize {
        usize::from(self.bytes.next().unwrap_or(0)) % most
    }

    fn blanks(&mut self) -> String {
        " ".repeat(1 + self.dice(5) / 2)
    }

    /// Perhaps a comment at the end of the line; then its end, and what may stand between lines.
    fn end_line(&mut self) {
        if self.dice(6) == 0 {
            let blanks = self.blanks();
            self.comment(&blanks);
        } else if self.dice(4) == 0 {
            self.text.push(' ');
        }
        self.text.push('\n');
        while self.dice(5) == 0 && self.bytes.len() > 0 {
            if self.dice(2) == 0 {
                let column = " ".repeat(self.dice(9));
                self.comment(&column);
            }
            self.text.push('\n');
        }
    }

    fn comment(&mut self, before: &str) {
        let mark = ["#", "# ", "#  "][self.dice(3)];
        self.text
            .push_str(&format!("{before}{mark}c{}", self.comments));
        self.comments += 1;
    }

    fn scalar(&mut self, in_flow: bool, inner: usize) {
        let indent = " ".repeat(inner);
        let several = ["\n", "\n\n", "  \n"][self.dice(3)];
        let value = match self.dice(9) {
            0 => "''".to_owned(),
            1 => "\"a # \\\" b: \"".to_owned(),
            2 => "'it''s: {x}'".to_owned(),
            3 => "-1".to_owned(),
            4 => "a#b:c".to_owned(),
            5 => format!("one{several}{indent}two"),
            6 => format!("\"one \\ {several}{indent}  two\""),
            7 if self.anchors > 0 => {
                format!("*n{}", self.dice(self.anchors.min(9)))
            }
            _ if in_flow => "é".to_owned(),
            _ => "a [b], {c} & *d".to_owned(),
        };
        self.text.push_str(&value);
    }

    fn property(&mut self) {
        if self.dice(8) == 0 && self.anchors < 9 {
            let blanks = self.blanks();
            self.text.push_str(&format!("&n{}{blanks}", self.anchors));
            self.anchors += 1;
        }
    }

    fn flow(&mut self, deep: usize, inner: usize) {
        let is_map = self.dice(2) == 0;
        self.text.push(if is_map { '{' } else { '[' });
        for number in 0..self.dice(4) {
            if number > 0 {
                self.text.push(',');
            }
            self.gap(inner);
            if is_map {
                self.text.push_str(&format!("k{number}:"));
                let blanks = self.blanks();
                self.text.push_str(&blanks);
            }
            match self.dice(4) {
                0 if deep < 3 => self.flow(deep + 1, inner),
                _ => self.scalar(true, inner),
            }
        }
        self.gap(inner);
        self.text.push(if is_map { '}' } else { ']' });
    }

    fn gap(&mut self, inner: usize) {
        match self.dice(8) {
            0 => {
                self.end_line();
                let column = inner + self.dice(3);
                self.text.push_str(&" ".repeat(column));
            }
            1 => self.text.push_str("  "),
            2 => {}
            _ => self.text.push(' '),
        }
    }

    /// What follows a key or a dash, with the end of its line.
    fn value(&mut self, deep: usize, column: usize, in_list: bool) {
        let choice = self.dice(10);
        let step = 1 + self.dice(4);
        match choice {
            0 => self.end_line(),
            1 | 2 if deep < 4 => {
                self.end_line();
                self.map(deep + 1, column + step);
            }
            3 if deep < 4 => {
                self.end_line();
                let beside = !in_list && self.dice(2) == 0;
                self.list(deep + 1, column + if beside { 0 } else { step });
            }
            4 => {
                self.text.push(' ');
                self.block(column + step, step);
            }
            5 => {
                let blanks = self.blanks();
                self.text.push_str(&blanks);
                self.property();
                self.flow(0, column + step);
                self.end_line();
            }
            _ => {
                let blanks = self.blanks();
                self.text.push_str(&blanks);
                if self.dice(12) == 0 {
                    self.text.push_str("!!str ");
                }
                self.scalar(false, column + step);
                self.end_line();
            }
        }
    }

    fn block(&mut self, inner: usize, step: usize) {
        let digit = match self.dice(3) {
            0 => step.to_string(),
            _ => String::new(),
        };
        let mark = ["|", ">"][self.dice(2)];
        let tail = ["", "-", "+"][self.dice(3)];
        self.text.push_str(&format!("{mark}{digit}{tail}"));
        if self.dice(4) == 0 {
            self.comment(" ");
        }
        self.text.push('\n');
        let lines = self.dice(4);
        for number in 0..lines {
            let deeper = match number {
                0 if digit.is_empty() => 0,
                _ => self.dice(3),
            };
            let line = ["text  # no comment", "- a: b", "é\t", "{"][self.dice(4)];
            let blank = ["", "\n", "  \n"][self.dice(3)];
            let blank = if digit.is_empty() {
                blank.trim_start_matches(' ')
            } else {
                blank
            };
            self.text
                .push_str(&format!("{blank}{}{line}\n", " ".repeat(inner + deeper)));
        }
        if self.dice(3) == 0 {
            self.text.push('\n');
        }
    }

    fn map(&mut self, deep: usize, column: usize) {
        for number in 0..1 + self.dice(4) {
            self.text.push_str(&" ".repeat(column));
            self.entry(number, deep, column);
        }
    }

    fn entry(&mut self, number: usize, deep: usize, column: usize) {
        let key = ["k", "\"k ", "jobs"][self.dice(3)];
        let close = if key.starts_with('"') { "\"" } else { "" };
        self.text.push_str(&format!("{key}{number}{close}"));
        let colon = if self.dice(4) == 0 { " :" } else { ":" };
        self.text.push_str(colon);
        self.value(deep, column, false);
    }

    fn list(&mut self, deep: usize, column: usize) {
        for _ in 0..1 + self.dice(3) {
            self.text.push_str(&" ".repeat(column));
            self.text.push('-');
            if self.dice(3) == 0 && deep < 4 {
                let blanks = self.blanks();
                self.text.push_str(&blanks);
                let inner = column + 1 + blanks.len();
                self.entry(0, deep + 1, inner);
                for number in 1..1 + self.dice(3) {
                    self.text.push_str(&" ".repeat(inner));
                    self.entry(number, deep + 1, inner);
                }
            } else {
                self.value(deep, column, true);
            }
        }
    }
}

fn drawn(bytes: &[u8]) -> (String, usize) {
    let mut drawing = Drawing {
        bytes: bytes.iter().copied(),
        text: String::new(),
        comments: 0,
        anchors: 0,
    };
    match drawing.dice(8) {
        0 => drawing.list(0, 0),
        1 => {
            drawing.text.push_str("x-0:\n  jobs:\n");
            drawing.map(1, 4);
        }
        2 | 3 => {
            drawing.text.push_str("defaults: { timeout: 5m }\njobs:\n");
            drawing.map(0, 3);
        }
        _ => drawing.map(0, 0),
    }
    if drawing.dice(4) == 0 {
        drawing
            .text
            .truncate(drawing.text.trim_end_matches('\n').len());
    }
    if drawing.dice(4) == 0 {
        drawing.text = drawing.text.replace('\n', "\r\n");
    }
    (drawing.text, drawing.comments)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever is drawn: it says the same, keeps its comments, and stays as it is the next time.
    #[test]
    fn every_text_says_the_same_in_its_layout(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (text, comments) = drawn(&bytes);
        let Some(before) = lex::events(&text) else {
            // Not every drawing is YAML; how many are is asserted below.
            return Ok(());
        };
        let laid = match layout(&text) {
            Layout::Changed(laid) => laid,
            Layout::Same => text.clone(),
            Layout::Left(reason) => panic!("{reason}: {text:?}"),
        };
        prop_assert_eq!(Some(before), lex::events(&laid));
        for number in 0..comments {
            let name = format!("c{number}");
            let count = |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| *word == name).count();
            prop_assert_eq!(count(&text), count(&laid), "{} in\n{}", name, laid);
        }
        prop_assert_eq!(layout(&laid), Layout::Same, "again:\n{}\nis\n{}", text, laid);
        prop_assert!(laid.is_empty() || laid.ends_with('\n') && !laid.contains('\r'));
    }
}

#[test]
fn most_drawings_are_yaml() {
    let mut good = 0;
    for seed in 0..500_u32 {
        let bytes: Vec<u8> = (0..300_u32)
            .map(|at| {
                (seed
                    .wrapping_mul(2_654_435_761)
                    .wrapping_add(at.wrapping_mul(40_503))
                    >> 7) as u8
            })
            .collect();
        good += usize::from(lex::events(&drawn(&bytes).0).is_some());
    }
    assert!(good > 250, "{good} of 500");
}
