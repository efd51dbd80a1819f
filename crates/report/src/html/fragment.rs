//! A run as a piece of HTML for a page that is somebody else's, such as a notebook: the verdict, and all policies over time.

use crate::comparison::answer;
use crate::drawing::escaped;
use crate::{RunReport, plots};

/// The verdict as a table of lines, below it the plot of all policies over time. Without script, style sheet or links; text of the scenario is escaped.
pub fn fragment_html(report: &RunReport<'_>) -> String {
    let mut html = String::from("<div class=\"scalelab\"><table style=\"text-align:left;border:none\">");
    let mut last = "";
    for line in answer::lines(report) {
        let label = if line.label == last { "" } else { line.label };
        last = line.label;
        let command = line.command.map(|command| format!("<br><code>{}</code>", escaped(&command)));
        html += &format!(
            "<tr style=\"background:none\"><th style=\"text-align:left;vertical-align:top\">{}</th><td style=\"text-align:left\">{}{}</td></tr>",
            escaped(label),
            escaped(&line.text),
            command.unwrap_or_default(),
        );
    }
    html += "</table>\n";
    html += &plots::overview(report).to_svg();
    html += "</div>";
    html
}
