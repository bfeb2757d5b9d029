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
    text: ({ label, label_is_tumour: named }) => (named
      ? `The likeliest class is ${className(label)}.`
      : 'The probability of a tumour reaches the threshold, even if no single kind is the likeliest.'),
  },
  no_tumour: {
    title: 'No sign of a tumour',
    text: () => 'The probability of a tumour is below the threshold of this model.',
  },
  uncertain: {
    title: 'Uncertain',
    text: ({ tumour_probability: tumour, threshold }) => (tumour < threshold
      ? 'This image is unlike the images the model was trained on. '
      : 'Either the probability of a tumour lies where this model errs too often to decide, or this '
        + 'image is unlike the images it was trained on. ')
      + 'Do not rely on the probabilities and the heatmap: they may mean nothing here.',
  },
};

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
