//! Words in messages: lists, and the nearest spelling of a word that does not exist.

use std::fmt::Display;

/// Words that people bring from other crates, and what they are called here.
const SYNONYMS: [(&str, &str); 14] = [
    ("composite", "index"),
    ("compound", "index"),
    ("computed", "derived"),
    ("id", "primary"),
    ("key", "primary"),
    ("nullable", "optional"),
    ("pk", "primary"),
    ("primary_key", "primary"),
    ("rename", "name"),
    ("skip", "ignore"),
    ("sparse", "optional"),
    ("table_name", "name"),
    ("ts", "timestamp"),
    ("uniq", "unique"),
];

/// The word of `legal` that `written` most likely stands for.
pub(crate) fn nearest(written: &str, legal: &[impl AsRef<str>]) -> Option<String> {
    let known = |word: &str| legal.iter().any(|legal| legal.as_ref() == word);
    if let Some((_, here)) = SYNONYMS.iter().find(|(there, here)| *there == written && known(here))
    {
        return Some((*here).to_owned());
    }
    let edits_max = written.chars().count() / 3;
    legal
        .iter()
        .map(|word| (edits(written, word.as_ref()), word.as_ref()))
        .filter(|(edits, _)| *edits <= edits_max)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, word)| word.to_owned())
}

/// `` `a`, `b` and `c` ``.
pub(crate) fn list(words: &[impl Display]) -> String {
    match words {
        [] => String::new(),
        [word] => format!("`{word}`"),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|word| format!("`{word}`")).collect();
            format!("{} and `{last}`", first.join(", "))
        }
    }
}

/// Insertions, removals, replacements and swaps of neighbours that turn `from` into `to`.
fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut fewest = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                fewest = fewest.min(rows[i - 2][j - 2] + 1);
            }
            row.push(fewest);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}
