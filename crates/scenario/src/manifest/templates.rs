//! Is a text a template that makes manifests, instead of manifests?

/// The first line with a template action in it, from 1, and that action; nothing inside quotes, comments and blocks of text counts.
pub fn first_action(text: &str) -> Option<(usize, &str)> {
    if !text.contains("{{") {
        return None;
    }
    // Lines deeper than this are text.
    let mut block: Option<usize> = None;
    for (index, line) in text.lines().enumerate() {
        let depth = line.len() - line.trim_start().len();
        if line.trim().is_empty() || block.is_some_and(|indent| depth > indent) {
            continue;
        }
        block = None;
        let bare = without_comment(line);
        if let Some(action) = action(bare) {
            return Some((index + 1, action));
        }
        let last = bare.split_whitespace().next_back().unwrap_or_default();
        let is_block = |mark: &str| last.starts_with(mark) && last.len() <= 3;
        if is_block("|") || is_block(">") {
            block = Some(depth);
        }
    }
    None
}

/// What comes before a `#` that begins a comment.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') { "" } else { line.split(" #").next().unwrap_or(line) }
}

/// A template action outside quotes that is not one of Prometheus' own, which live in annotations of rules.
#[allow(clippy::match_same_arms, reason = "one line per case")]
fn action(line: &str) -> Option<&str> {
    let mut quote: Option<char> = None;
    let mut previous = ' ';
    for (position, letter) in line.char_indices() {
        match quote {
            Some(mark) if letter == mark && previous != '\\' => quote = None,
            Some(_) => {}
            // A quote only opens where a value begins.
            None if (letter == '"' || letter == '\'') && " [{,:".contains(previous) => quote = Some(letter),
            None if line[position..].starts_with("{{") => {
                let rest = &line[position..];
                let action = rest.find("}}").map_or(rest, |end| &rest[..end + 2]);
                let is_of_rules = ["$labels", "$value", "$externalLabels"].iter().any(|name| action.contains(name));
                if !is_of_rules {
                    return Some(action);
                }
            }
            None => {}
        }
        previous = letter;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_where_yaml_would_be_are_found() {
        assert_eq!(first_action("a: 1\nb: {{ .Values.b }}\n"), Some((2, "{{ .Values.b }}")));
        assert_eq!(first_action("name: x-{{ .Release.Name }}\n"), Some((1, "{{ .Release.Name }}")));
        assert_eq!(first_action("{{- if .Values.on }}\na: 1\n{{- end }}\n"), Some((1, "{{- if .Values.on }}")));
    }

    #[test]
    fn braces_in_quotes_comments_blocks_and_rules_are_text() {
        for text in [
            "a: \"{{ $labels.pod }} {{ x }}\"\n",
            "# {{ .Values.b }}\na: 1 # {{ x }}\n",
            "data:\n  dashboard: |\n    legend: {{pod}}\n\n    more: {{pod}}\n",
            "summary: pod {{ $labels.pod }} waits\n",
            "- >-\n  {{ x }}\n",
        ] {
            assert_eq!(first_action(text), None, "{text}");
        }
    }
}
