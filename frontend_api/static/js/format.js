/** Numbers, names and times as people read them. */

const NAMES = {
  notumor: 'No tumour',
  no_tumor: 'No tumour',
  no_tumour: 'No tumour',
  no: 'No tumour',
  none: 'No tumour',
  yes: 'Tumour',
  tumor: 'Tumour',
};

const ARCHITECTURES = { cnn: 'CNN', mobilenetv2: 'MobileNetV2', resnet50: 'ResNet50' };

export const DECISIONS = {
  tumour: {
    title: 'Signs of a tumour',
    text: (prediction) => (prediction.label_is_tumour
      ? `The likeliest class is ${className(prediction.label)}.`
      : `The probability of a tumour reaches ${hasBand(prediction) ? 'both thresholds' : 'the threshold'}, `
        + 'even if no single kind is the likeliest.'),
  },
  no_tumour: {
    title: 'No sign of a tumour',
    text: (prediction) => 'The probability of a tumour is below '
      + `${hasBand(prediction) ? 'both thresholds' : 'the threshold'} of this model.`,
  },
  uncertain: {
    title: 'Uncertain',
    text: (prediction) => `${doubt(prediction)} `
      + 'Do not rely on the probabilities and the heatmap: they may mean nothing here.',
  },
};

/** Whether the model has two thresholds; the upper one of an older answer is not known. */
export function hasBand({ threshold, upper_threshold: upper }) {
  return upper > threshold;
}

function doubt({ tumour_probability: tumour, threshold, upper_threshold: upper }) {
  if (tumour >= threshold && upper == null) {
    return 'Either the probability of a tumour lies where this model errs too often to decide, or this '
      + 'image is unlike the images it was trained on.';
  }
  return tumour >= threshold && tumour < upper
    ? 'The probability of a tumour lies between the two thresholds, where this model errs too often to decide; '
      + 'the image may also be unlike those it was trained on.'
    : 'This image is unlike the images the model was trained on.';
}

export function className(name) {
  return NAMES[name] ?? name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ');
}

/** An answer in a word or two: never a class that contradicts the decision. */
export function headline({ decision, label, label_is_tumour: named }) {
  if (decision === 'uncertain') return 'Uncertain';
  if (decision === 'no_tumour') return 'No tumour';
  return named ? className(label) : 'Tumour';
}

export function architectureName(name) {
  return ARCHITECTURES[name] ?? name;
}

/** A probability in per cent; never rounded to certainty. */
export function percent(probability) {
  if (probability > 0.999 && probability < 1) return '> 99.9 %';
  if (probability < 0.001 && probability > 0) return '< 0.1 %';
  return `${(probability * 100).toFixed(1)} %`;
}

/** Seconds as `about 3 min` or `42 s`. */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return `about ${Math.round(seconds / 60)} min`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });

export function moment(iso) {
  const time = new Date(iso);
  const today = time.toDateString() === new Date().toDateString();
  return `${today ? 'Today' : day.format(time)}, ${clock.format(time)}`;
}

export function date(iso) {
  return day.format(new Date(iso));
}
