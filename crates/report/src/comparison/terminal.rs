//! The comparison as aligned text.

use super::cells::{Cells, Column, cells};
use super::{TerminalStyle, budget_sentences, headline_sentences, remark_sentences, service_heading};
use crate::RunReport;

const BEST: &str = "\u{1b}[1;32m";
const FAINT: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";
/// Spaces between columns.
const GAP: usize = 2;

/// Header, rule, one row per policy, then the ranking and the error budgets, one sentence per line; the same of each service, where there are
/// several; what the runs remarked.
pub(super) fn table(report: &RunReport<'_>, style: TerminalStyle) -> String {
    let mut out = part(report, style);
    for service in report.services {
        out += &format!("\n{}\n\n", service_heading(service));
        out += &part(service, style);
    }
    out + &paragraph(remark_sentences(report), style)
}

fn part(report: &RunReport<'_>, style: TerminalStyle) -> String {
    let Cells { mut columns } = cells(report, style.unicode);
    fit(&mut columns, style.width.unwrap_or(usize::MAX));
    let widths: Vec<usize> = columns.iter().map(width).collect();
    let headers = columns.iter().zip(&widths).map(|(column, &width)| padded(column.header, width, column.is_text));
    let mut out = line(headers);
    let rule = if style.unicode { "\u{2500}" } else { "-" };
    let rule = rule.repeat(widths.iter().sum::<usize>() + GAP * (widths.len() - 1));
    out += &if style.color { [FAINT, &rule, RESET].concat() } else { rule };
    out.push('\n');
    for row in 0..report.policies.len() {
        out += &line(columns.iter().zip(&widths).map(|(column, &width)| {
            let text = padded(&column.values[row], width, column.is_text);
            // Escapes go around the padded text: they have no width.
            if style.color && column.best[row] { format!("{BEST}{text}{RESET}") } else { text }
        }));
    }
    out + &paragraph(headline_sentences(report), style) + &paragraph(budget_sentences(report), style)
}

/// An empty line and the sentences, one per line; nothing if there are none.
fn paragraph(sentences: Vec<String>, style: TerminalStyle) -> String {
    let mut out = if sentences.is_empty() { String::new() } else { "\n".to_owned() };
    for sentence in sentences {
        let sentence = if style.unicode { sentence } else { sentence.replace('\u{2212}', "-") };
        out += &wrapped(&sentence, style.width.unwrap_or(usize::MAX));
    }
    out
}

/// Leaves out the most dispensable columns, then shortens names, until the table fits.
fn fit(columns: &mut Vec<Column>, available: usize) {
    let total = |columns: &[Column]| columns.iter().map(width).sum::<usize>() + GAP * (columns.len() - 1);
    while total(columns) > available {
        let most = columns.iter().map(|column| column.dispensable).max().unwrap_or(0);
        if most == 0 {
            break;
        }
        columns.retain(|column| column.dispensable != most);
    }
    let excess = total(columns).saturating_sub(available);
    let room = width(&columns[0]).saturating_sub(excess).max(8);
    for name in &mut columns[0].values {
        if name.chars().count() > room {
            *name = name.chars().take(room - 1).chain(['~']).collect();
        }
    }
}

fn width(column: &Column) -> usize {
    let values = column.values.iter().map(|value| value.chars().count());
    values.chain([column.header.len()]).max().unwrap_or(0)
}

fn padded(text: &str, width: usize, is_text: bool) -> String {
    if is_text { format!("{text:<width$}") } else { format!("{text:>width$}") }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let text = cells.collect::<Vec<_>>().join(&" ".repeat(GAP));
    format!("{}\n", text.trim_end())
}

/// Breaks at spaces so that no line is longer than `available` where words allow.
fn wrapped(text: &str, available: usize) -> String {
    let (mut out, mut used) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > available {
            out += "\n  ";
            used = 2;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out += word;
        used += length;
    }
    out.push('\n');
    out
}
