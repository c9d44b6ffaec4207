// What another threshold would decide: counts come with the page, one step a threshold.
class Thresholds {
  constructor(root) {
    this.root = root;
    this.classes = JSON.parse(root.dataset.steps);
    this.deviations = +root.dataset.deviations;
    this.choice = root.querySelector("select");
    this.slider = root.querySelector("[type=range]");
    this.prevalence = root.querySelector("[type=number]");
    for (const { name } of this.classes) this.choice.add(new Option(name));
    this.choice.closest("label").hidden = this.classes.length === 1;
    this.choice.addEventListener("change", () => this.begin());
    this.slider.addEventListener("input", () => this.show());
    this.prevalence.addEventListener("input", () => this.show());
    this.reset = root.querySelector("button");
    this.reset.addEventListener("click", () => { this.toStored(); this.show(); });
    this.begin();
  }

  begin() {
    this.steps = this.classes[this.choice.selectedIndex];
    const { positives, negatives, thresholds, stored } = this.steps;
    this.slider.max = thresholds.length - 1;
    this.prevalence.value = (100 * positives / (positives + negatives)).toFixed(1);
    this.reset.hidden = stored === null;
    this.toStored();
    this.show();
  }

  toStored() {
    const { thresholds, stored } = this.steps;
    const place = thresholds.findIndex((each) => each >= (stored ?? 0.5));
    this.slider.value = Math.max(0, place);
    const mark = document.createElement("option");
    mark.value = this.slider.value;
    this.root.querySelector("datalist").replaceChildren(...(stored === null ? [] : [mark]));
  }

  // Sensitivity, specificity and net benefit at a step, for a share of positives.
  at(step, prevalence) {
    const { positives, negatives, thresholds, hits, alarms } = this.steps;
    const [hit, alarm, threshold] = [hits[step], alarms[step], thresholds[step]];
    const odds = threshold / (1 - threshold);
    const cost = alarm ? (1 - prevalence) * (alarm / negatives) * odds : 0;
    return { threshold, hit, alarm, missed: positives - hit, spared: negatives - alarm,
      benefit: prevalence * hit / positives - cost };
  }

  show() {
    const { name, positives, negatives, stored, validated } = this.steps;
    const prevalence = Math.min(99.9, Math.max(0.1, +this.prevalence.value || 0)) / 100;
    const now = this.at(+this.slider.value, prevalence);
    const { threshold, hit, alarm, missed, spared } = now;
    const put = (key, text) => { this.root.querySelector(`[data-is=${key}]`).textContent = text; };
    for (const [key, count] of Object.entries({ hit, alarm, missed, spared })) put(key, count);
    put("class", name);
    put("rest", `not ${name}`);
    const sensitivity = this.share(hit, positives);
    const specificity = this.share(spared, negatives);
    put("sensitivity", written(sensitivity));
    put("specificity", written(specificity));
    put("positive", written(sensitivity.map((each, i) => predictive(each, specificity[i], prevalence))));
    put("negative", written(specificity.map((each, i) => predictive(each, sensitivity[i], 1 - prevalence))));
    put("balanced", written(sum(sensitivity, specificity, 0.5, 0.5)));
    const harm = (1 - prevalence) * threshold / Math.max(1 - threshold, 1e-9);
    put("benefit", written(sum(sensitivity, specificity, prevalence, harm, -harm)));
    const kept = validated ? "the stored one, chosen on validation" : "the stored one, which was not chosen";
    const told = threshold === stored ? kept
      : stored === null ? "none is stored: the likeliest class is called"
        : `the stored one is ${stored.toFixed(3)}; a threshold chosen here is no result`;
    put("told", `Threshold ${threshold.toFixed(3)}: ${told}.`);
    this.slider.setAttribute("aria-valuetext", threshold.toFixed(3));
    this.draw(now, prevalence);
  }

  // A share with Wilson's limits (JASA 22, 1927, p. 209).
  share(count, all) {
    const square = this.deviations ** 2;
    const middle = (count + square / 2) / (all + square);
    const reach = this.deviations / (all + square) * Math.sqrt(count * (all - count) / all + square / 4);
    return [count / all, Math.max(0, middle - reach), Math.min(1, middle + reach)];
  }

  // Vickers and Elkin's decision curve (Medical Decision Making 26, 2006, p. 565).
  draw(now, prevalence) {
    const svg = this.root.querySelector("svg");
    const { thresholds, stored } = this.steps;
    const every = thresholds.map((_, step) => this.at(step, prevalence)).filter((each) => each.threshold < 0.99);
    const all = Array.from({ length: 100 }, (_, i) => i / 100).map((threshold) =>
      ({ threshold, benefit: prevalence - (1 - prevalence) * threshold / (1 - threshold) }));
    const top = Math.max(prevalence, ...every.map((each) => each.benefit)) * 1.05;
    const [least, left, right, high, low] = [-0.25 * top, 56, 590, 24, 250];
    const x = (threshold) => left + (right - left) * threshold;
    const y = (benefit) => low - (low - high) * (benefit - least) / (top - least);
    const path = (points) => points.map((each) => `${x(each.threshold)},${y(each.benefit)}`).join(" ");
    const line = (kind, points) => element("polyline", { class: kind, points: path(points) });
    const text = (words, at, anchor = "middle") => {
      const made = element("text", { x: at[0], y: at[1], "text-anchor": anchor });
      made.textContent = words;
      return made;
    };
    const upright = (kind, threshold) => element("line",
      { class: kind, x1: x(threshold), x2: x(threshold), y1: high, y2: low });
    const [width, height] = [right - left, low - high];
    const inside = element("svg", { x: left, y: high, width, height, viewBox: `${left} ${high} ${width} ${height}` });
    inside.append(line("all", all), line("model", every));
    svg.replaceChildren(
      ...[0, 0.25, 0.5, 0.75, 1].map((each) => text(each, [x(each), low + 18])),
      ...[0, top / 2, top].map((each) => text(each.toFixed(2), [left - 6, y(each) + 4], "end")),
      element("line", { class: "axis", x1: left, x2: right, y1: low, y2: low }),
      element("line", { class: "none", x1: left, x2: right, y1: y(0), y2: y(0) }),
      inside,
      ...(stored === null ? [] : [upright("stored", stored)]),
      upright("now", Math.min(now.threshold, 0.99)),
      text("net benefit", [0, 12], "start"),
      text("threshold", [(left + right) / 2, low + 38]),
    );
    svg.setAttribute("aria-label", `Decision curve: net benefit ${now.benefit.toFixed(3)} at threshold `
      + `${now.threshold.toFixed(3)}, where calling every case has `
      + `${(prevalence - (1 - prevalence) * now.threshold / Math.max(1e-9, 1 - now.threshold)).toFixed(3)} and calling none 0.`);
  }
}

// The share of cases called so that are so; undefined where none is called.
function predictive(caught, spared, prevalence) {
  const [right, wrong] = [caught * prevalence, (1 - spared) * (1 - prevalence)];
  return right + wrong ? right / (right + wrong) : NaN;
}

// A sum of two shares with its limits, from those of both (MOVER: Zou and Donner, 2008).
function sum(one, other, a, b, more = 0) {
  const value = a * one[0] + b * other[0] + more;
  const reach = (limit) => Math.hypot(a * (one[limit] - one[0]), b * (other[limit] - other[0]));
  return [value, value - reach(1), value + reach(2)];
}

function written([value, low, high]) {
  if (Number.isNaN(value)) return "undefined: no case is called so";
  return `${value.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
}

function element(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

for (const root of document.querySelectorAll(".threshold")) new Thresholds(root);
