/** What the browser test asks of a page. Evaluated there; never part of the program. */
(() => {
  const asked = {};
  globalThis.asked = asked;
  asked.focused = () => document.activeElement;
  asked.isFirstAlertFocused = () => document.activeElement === document.querySelector('#alerts a');
  asked.width = () => document.documentElement.scrollWidth;

  /** Controls that a screen reader could not name. */
  asked.unnamedControls = () =>
    [...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a')]
      .filter(
        (control) => !control.labels?.length && !control.textContent.trim() && !control.hasAttribute('aria-label'),
      )
      .map((control) => control.outerHTML.slice(0, 80));

  /** Texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, 1.4.3). */
  asked.faintText = () => {
    const parse = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
    const linear = (c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
    const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const color = parse(getComputedStyle(at).backgroundColor);
        if ((color[3] ?? 1) === 1) return color;
      }
      return [255, 255, 255];
    };
    return [
      ...document.querySelectorAll(
        'h1, h2, p, li span, button, th, td, pre, summary, dt, dd, strong, label, footer, nav a',
      ),
    ]
      .filter((element) => element.textContent.trim() !== '')
      .map((element) => {
        const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
        return {
          ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
          text: `${element.className} ${element.textContent.slice(0, 30)}`,
        };
      })
      .filter(({ ratio }) => ratio < 4.5)
      .map(({ ratio, text }) => `${ratio.toFixed(2)} ${text}`);
  };
})();
