//! Curves over the minutes of a day as an SVG picture: one file, no script, no font of its own.

use core::fmt::Write as _;

/// One curve and what is written above it.
pub(super) struct Panel<'a> {
    /// Plain text.
    pub(super) name: String,
    /// One value for each minute of the day.
    pub(super) values: &'a [u32],
}

/// The curves below each other, each with a scale of its own.
pub(super) fn day(panels: &[Panel<'_>]) -> String {
    let height = panels.len() * PANEL;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        panel.draw(index * PANEL, &mut svg);
    }
    svg.push_str("</svg>\n");
    svg
}

impl Panel<'_> {
    fn draw(&self, top: usize, svg: &mut String) {
        let most = self.values.iter().copied().max().unwrap_or(0).max(1);
        let name = self.name.replace('&', "&amp;").replace('<', "&lt;");
        let (zero, right) = (top + PLOT_TOP + PLOT, LEFT + self.values.len());
        let mut path = format!("M{LEFT},{zero}");
        for (minute, value) in self.values.iter().enumerate() {
            // Tenths of a unit, so that low curves are not steps.
            let up = u64::from(*value) * (PLOT as u64) * 10 / u64::from(most);
            let down = (zero as u64) * 10 - up;
            let _ = write!(path, "L{},{}.{}", LEFT + minute, down / 10, down % 10);
        }
        let _ = write!(
            svg,
            "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{name}</text>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{most}</text>\n\
             <text x=\"{}\" y=\"{zero}\" text-anchor=\"end\">0</text>\n\
             <path d=\"{path}L{right},{zero}Z\" fill=\"#4a7ab5\"/>\n\
             <path d=\"M{LEFT},{}V{zero}H{right}\" fill=\"none\" stroke=\"#222\"/>\n",
            top + 22,
            LEFT - 6,
            top + PLOT_TOP + 8,
            LEFT - 6,
            top + PLOT_TOP,
        );
        for hour in (0..=24).step_by(3) {
            let x = LEFT + hour * 60;
            let _ = writeln!(
                svg,
                "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{hour:02}:00</text>",
                zero + 16
            );
        }
    }
}

const WIDTH: usize = LEFT + 24 * 60 + 40;
/// Room for the scale.
const LEFT: usize = 80;
/// Height of a panel, of what is above its curve, and of the curve.
const PANEL: usize = 240;
const PLOT_TOP: usize = 36;
const PLOT: usize = 170;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_reaches_the_top_and_names_are_escaped() {
        let svg = day(&[Panel { name: "a < b & c".to_owned(), values: &[0, 5, 10] }]);
        assert!(svg.contains("M80,206L80,206.0L81,121.0L82,36.0L83,206Z"), "{svg}");
        assert!(svg.contains(">a &lt; b &amp; c</text>") && svg.contains(">10</text>"), "{svg}");
    }
}
