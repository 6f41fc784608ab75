//! Pictures as SVG that stands in an HTML page: colours come from the page, every shape says its number as a title.

use core::fmt::Write as _;

use super::thousands;

/// Text as it may stand between tags and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // What XML has no place for, and what would turn text around that follows.
            '\u{0}'..='\u{8}'
            | '\u{b}'
            | '\u{c}'
            | '\u{e}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                escaped.push('\u{fffd}');
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// What a picture is called, for those who see it and for those who hear it.
pub(super) struct Caption<'a> {
    /// Unique in the page.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
}

/// One bar: its name, and its parts from below, each with a style class, a name, and a number.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) parts: Vec<(String, String, u64)>,
}

impl Bar {
    fn total(&self) -> u64 {
        self.parts.iter().map(|(_, _, number)| number).fold(0, |sum, number| sum.saturating_add(*number))
    }
}

const WIDTH: f64 = 960.0;
const LEFT: f64 = 72.0;
/// Where the last bar or cell ends: the name below it may be wider than it is.
const RIGHT: f64 = 930.0;

/// Bars beside each other, each of parts that stand on one another.
#[expect(clippy::cast_precision_loss, reason = "pixels")]
pub(super) fn stacked_bars(caption: &Caption<'_>, bars: &[Bar]) -> String {
    const HEIGHT: f64 = 240.0;
    const TOP: f64 = 12.0;
    let most = bars.iter().map(Bar::total).max().unwrap_or(0).max(1);
    let (step, top) = ticks(most);
    let scale = HEIGHT / top as f64;
    let pitch = (RIGHT - LEFT) / bars.len().max(1) as f64;
    let width = (pitch * 0.8).clamp(1.0, 48.0);
    let mut svg = open(caption, TOP + HEIGHT + 72.0);
    for tick in (0..=top).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        let y = TOP + HEIGHT - tick as f64 * scale;
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1}" y2="{y:.1}"/><text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            LEFT - 8.0,
            y + 4.0,
            thousands(tick)
        );
    }
    // So many names as do not touch.
    let every = (84.0 / pitch).ceil().max(1.0);
    for (at, bar) in bars.iter().enumerate() {
        let x = LEFT + pitch * (at as f64 + 0.5);
        let mut y = TOP + HEIGHT;
        for (class, name, number) in &bar.parts {
            let height = *number as f64 * scale;
            y -= height;
            let _ = write!(
                svg,
                r#"<rect class="{class}" x="{:.1}" y="{y:.2}" width="{width:.1}" height="{height:.2}"><title>{}, {}: {}</title></rect>"#,
                x - width / 2.0,
                escaped(&bar.name),
                escaped(name),
                thousands(*number)
            );
        }
        if (at as f64) % every < 1.0 {
            let _ = write!(
                svg,
                r#"<text class="tick" x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                TOP + HEIGHT + 18.0,
                escaped(&bar.name)
            );
        }
    }
    close(&mut svg, caption, TOP + HEIGHT)
}

/// Numbers as a grid, the darker the more. `rows` are from top to bottom, each with its name and a number for each column.
#[expect(clippy::cast_precision_loss, reason = "pixels")]
pub(super) fn heat_map(caption: &Caption<'_>, columns: &[String], rows: &[(String, Vec<u64>)]) -> String {
    const ROW: f64 = 26.0;
    const TOP: f64 = 4.0;
    let most = rows.iter().flat_map(|(_, cells)| cells).copied().max().unwrap_or(0).max(1);
    let pitch = ((RIGHT - LEFT) / columns.len().max(1) as f64).min(72.0);
    let height = ROW * rows.len() as f64;
    let mut svg = open(caption, TOP + height + 60.0);
    for (at, (row, cells)) in rows.iter().enumerate() {
        let y = TOP + ROW * at as f64;
        let _ = write!(
            svg,
            r#"<text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            LEFT - 8.0,
            y + ROW / 2.0 + 4.0,
            escaped(row)
        );
        for (at, (column, number)) in columns.iter().zip(cells).enumerate() {
            let x = LEFT + pitch * at as f64;
            // The root, so that small numbers are seen beside great ones.
            let opacity =
                if *number == 0 { 0.0 } else { 0.08 + 0.92 * (*number as f64 / most as f64).sqrt() };
            let _ = write!(
                svg,
                r#"<g><title>{}, {}: {}</title><rect class="cell" x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}"/>"#,
                escaped(row),
                escaped(column),
                thousands(*number),
                pitch - 2.0,
                ROW - 2.0
            );
            if *number > 0 {
                let _ = write!(
                    svg,
                    r#"<rect class="heat" x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}" fill-opacity="{opacity:.2}"/>"#,
                    pitch - 2.0,
                    ROW - 2.0
                );
                let class = if opacity > 0.55 { "on" } else { "off" };
                let _ = write!(
                    svg,
                    r#"<text class="{class}" x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                    x + pitch / 2.0 - 1.0,
                    y + ROW / 2.0 + 3.0,
                    short(*number)
                );
            }
            svg.push_str("</g>");
        }
    }
    for (at, column) in columns.iter().enumerate() {
        let _ = write!(
            svg,
            r#"<text class="tick" x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            LEFT + pitch * (at as f64 + 0.5) - 1.0,
            TOP + height + 16.0,
            escaped(column)
        );
    }
    close(&mut svg, caption, TOP + height)
}

fn open(caption: &Caption<'_>, height: f64) -> String {
    let Caption { id, title, x, y } = caption;
    format!(
        r#"<svg viewBox="0 0 {WIDTH} {height:.0}" role="img" aria-labelledby="{id}-title {id}-desc" xmlns="http://www.w3.org/2000/svg"><title id="{id}-title">{}</title><desc id="{id}-desc">{} by {}; the numbers stand in the table below.</desc>"#,
        escaped(title),
        escaped(y),
        escaped(x)
    )
}

fn close(svg: &mut String, caption: &Caption<'_>, bottom: f64) -> String {
    let _ = write!(
        svg,
        r#"<text class="axis" x="{:.1}" y="{:.1}" text-anchor="middle">{}</text></svg>"#,
        LEFT.midpoint(RIGHT),
        bottom + 46.0,
        escaped(caption.x)
    );
    core::mem::take(svg)
}

/// The step of an axis, and its end: about five steps of 1, 2 or 5 times a power of ten.
fn ticks(most: u64) -> (u64, u64) {
    let mut step = 1_u64;
    let mut factors = [2, 5, 10].into_iter().cycle();
    let mut power = 1_u64;
    while most.div_ceil(step) > 5 {
        let factor = factors.next().unwrap_or(10);
        step = power.saturating_mul(factor);
        if factor == 10 {
            power = step;
        }
        if step == u64::MAX {
            break;
        }
    }
    (step, most.div_ceil(step).saturating_mul(step))
}

/// A number that fits a cell: `950`, `12k`, `3M`.
fn short(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..10_000_000 => format!("{}k", number / 1000),
        _ => format!("{}M", number / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_about_five_round_steps() {
        assert_eq!(ticks(1), (1, 1));
        assert_eq!(ticks(5), (1, 5));
        assert_eq!(ticks(6), (2, 6));
        assert_eq!(ticks(60), (20, 60));
        assert_eq!(ticks(720), (200, 800));
        assert!(ticks(u64::MAX).0 > 1 << 60);
    }

    #[test]
    fn what_could_be_markup_is_text() {
        assert_eq!(
            escaped("<a href='x'>\"&\u{202e}\u{1}"),
            "&lt;a href=&#39;x&#39;&gt;&quot;&amp;\u{fffd}\u{fffd}"
        );
    }
}
