//! The comparison as aligned text.

use record::Standing;

use super::answer::{self, Line};
use super::cells::{Cells, Column, cells, interval_note};
use super::{TerminalStyle, budget_sentences, headline_sentences, remark_sentences, service_heading};
use crate::RunReport;

const MEETS: &str = "\u{1b}[1;32m";
const MISSES: &str = "\u{1b}[1;31m";
const UNDECIDED: &str = "\u{1b}[1;33m";
const BOLD: &str = "\u{1b}[1m";
const FAINT: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";
/// Spaces between columns.
const GAP: usize = 2;

/// Header, rule, one row per policy, the verdict, what can be said of pairs, and the error budgets; the same of each service but for the
/// verdict, where there are several; what the runs remarked.
pub(super) fn table(report: &RunReport<'_>, style: TerminalStyle) -> String {
    let mut out = part(report, style);
    for service in report.services {
        out += &format!("\n{}\n\n", service_heading(service));
        out += &part(service, style);
    }
    out + &paragraph(remark_sentences(report), style)
}

fn part(report: &RunReport<'_>, style: TerminalStyle) -> String {
    let Cells { columns } = cells(report);
    let mut columns = apart(columns.into_iter().filter(|column| !column.is_for_page));
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
            match column.standings.get(row).map(|&standing| color(standing)) {
                Some(color) if style.color && !color.is_empty() => format!("{color}{text}{RESET}"),
                _ => text,
            }
        }));
    }
    out += &interval_note(report).map(|note| format!("{note}\n")).unwrap_or_default();
    out + &verdict(report, style)
        + &paragraph(headline_sentences(report), style)
        + &paragraph(budget_sentences(report), style)
}

/// The only colors: what meets the objective for certain, what misses it, what is open.
const fn color(standing: Standing) -> &'static str {
    match standing {
        Standing::Meets => MEETS,
        Standing::Misses => MISSES,
        Standing::Undecided => UNDECIDED,
        Standing::NothingToJudge => "",
    }
}

/// Columns with bounds as two: the second goes first where room is short.
fn apart(columns: impl Iterator<Item = Column>) -> Vec<Column> {
    let mut all = Vec::new();
    for mut column in columns {
        let intervals = std::mem::take(&mut column.intervals);
        let is_known = intervals.iter().any(|text| !text.is_empty());
        let dispensable = column.dispensable + BOUNDS_BEFORE;
        all.push(column);
        if is_known {
            all.push(Column {
                header: "95 % CI",
                values: intervals,
                intervals: Vec::new(),
                keys: Vec::new(),
                standings: Vec::new(),
                is_text: false,
                dispensable,
                is_for_page: false,
            });
        }
    }
    all
}

/// How much sooner bounds are left out than their column.
const BOUNDS_BEFORE: u8 = 4;

/// Label by label, the continuation indented; commands stand alone on their line so that they can be copied.
fn verdict(report: &RunReport<'_>, style: TerminalStyle) -> String {
    let lines = answer::lines(report);
    let mut out = if lines.is_empty() { String::new() } else { "\n".to_owned() };
    let mut before = "";
    for Line { label, text, command, is_warning } in lines {
        let shown = if label == before { "" } else { label };
        before = label;
        let text = if style.unicode { text } else { text.replace('\u{2212}', "-") };
        let body = wrapped_with(&text, style.width.map_or(usize::MAX, |width| width.saturating_sub(LABEL).max(20)), "");
        let body = body.trim_end().replace('\n', &format!("\n{}", " ".repeat(LABEL)));
        let is_loud = style.color && (label == "verdict" || is_warning);
        let body = if is_loud { format!("{BOLD}{body}{RESET}") } else { body };
        out += &format!("{shown:<LABEL$}{body}\n");
        out += &command.map(|command| format!("{}{command}\n", " ".repeat(LABEL))).unwrap_or_default();
    }
    out
}

/// Columns that labels of the verdict take.
const LABEL: usize = 11;

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
    wrapped_with(text, available, "  ")
}

/// The same with what lines after the first begin with.
fn wrapped_with(text: &str, available: usize, indent: &str) -> String {
    let (mut out, mut used) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > available {
            out += "\n";
            out += indent;
            used = indent.len();
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
