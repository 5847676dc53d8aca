"""Checks a run folder of marsgrad with nothing of marsgrad: Python 3 and NumPy. docs/audit.md tells the format.
    python3 check_run.py RUN [WEIGHTS.safetensors]      the pre-trained weights, where they are not at config.json's path any more
"""
import hashlib, json, pathlib, sys
import numpy as np

run, failures = pathlib.Path(sys.argv[1]), []
read = lambda name: (run / name).read_bytes()
sha256 = lambda data: hashlib.sha256(data).hexdigest()

def report(name, problems, text):
    failures.extend(problems)
    print(f'FAIL  {name}: {"; ".join(problems[:3])} ({len(problems)} in all)' if problems else f'pass  {name}: {text}')
def tensors(path):
    """A safetensors file: the header's length in 8 bytes, the header as JSON, the values. Floats come as float64."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], 'little')
    types = {'F32': '<f4', 'F64': '<f8', 'I32': '<i4', 'I64': '<i8', 'U8': 'u1'}
    header = {name: entry for name, entry in json.loads(data[8:start]).items() if name != '__metadata__'}
    piece = lambda entry: data[start + entry['data_offsets'][0]:start + entry['data_offsets'][1]]
    found = {name: np.frombuffer(piece(entry), types[entry['dtype']]).reshape(entry['shape']) for name, entry in header.items()}
    return {name: array.astype(np.float64) if array.dtype.kind == 'f' else array for name, array in found.items()}

# 1. Each line of the log holds the digest of the line before it, the first one that of config.json.
config, lines = json.loads(read('config.json')), read('log.ndjson').split(b'\n')[:-1]
log, digests = [json.loads(line) for line in lines], [sha256(read('config.json'))] + [sha256(line) for line in lines]
if log[-1]['type'] != 'summary': sys.exit('FAIL  log: its last line is no summary: the run did not end, or its end was cut off')
broken = [f'line {i + 1} does not follow what stands before it' for i, line in enumerate(log) if line['previous'] != digests[i]]
report('log', broken, f'{len(lines)} lines, each with the digest of the one before; the digest of the last is {digests[-1]}')
# 2. The files whose digests stand in the log.
files = {str(pathlib.PurePath(line.get('folder', '.'), name)): digest for line in log for name, digest in line.get('files', {}).items()}
changed = [f'{name} is not the file of the run' for name, digest in files.items() if sha256(read(name)) != digest]
report('files', changed, f'{len(files)} files have the digests that the log holds')
# 3. Accuracy and loss, counted again from the stored logits.
predictions, test = tensors(run / 'predictions.safetensors'), log[-1]['test']
logits, labels = predictions['logits'], predictions['labels']
top, own = logits.max(1, keepdims=True), logits[np.arange(len(labels)), labels]
score = {'top1': np.mean(logits.argmax(1) == labels), 'loss': np.mean(np.log(np.exp(logits - top).sum(1)) + top[:, 0] - own)}
wrong = [f'{key} is {value}, the log says {test[key]}' for key, value in score.items() if not abs(value - test[key]) < 1e-9 * max(1, value)]
report('accuracy', wrong, f'{len(labels)} predictions, top-1 {100 * score["top1"]:.2f} %, loss {score["loss"]:.4f}')
# 4. Where it began, and what is bounded: rows of W - W0; of BatchNorm, of gamma/sqrt(var + 1e-6); the classifier's W0 may be zero.
rules, optimizer, distances = config['settings']['regularization'], config['settings']['optimizer'], json.loads(read('distances.json'))
method, source = rules['method'], config['inputs']['weights'] or {'path': '', 'sha256': ''}
path, head = pathlib.Path([*sys.argv, source['path']][2]), tuple(one['layer'] + '.' for one in distances if one['isHead'])
steps = [(json.loads(read(f'{line["folder"]}/step.json')), tensors(run / line['folder'] / 'state.safetensors')) for line in log if line['type'] == 'record']
part = lambda state, prefix: {name[len(prefix):]: value for name, value in state.items() if name.startswith(prefix)}
start = tensors(path) if path.suffix == '.safetensors' and path.exists() else {}
first = part(steps[0][1], 'before/model/') if steps and steps[0][0]['step'] == 1 else start
wrong = [f'{path} is not what the run began with'] if start and sha256(path.read_bytes()) != source['sha256'] else []
wrong += [f'step 1 began with another {name}' for name in first if name in start and not name.startswith(head) and np.any(first[name] != start[name])]
report('start', wrong, f'{path} is the file, and step 1 began with it' if start else 'no pre-trained weights as safetensors to compare with')
is_norm = lambda layer: layer['kind'] == 'batchNorm2d'
spread = lambda layer, state: np.sqrt(state[layer['layer'] + '.running_var'] + 1e-6)[:, None] if is_norm(layer) else 1
rows = lambda layer, state: state[layer['layer'] + '.weight'].reshape(layer['rows'], -1) / spread(layer, state)
anchor = lambda layer: np.zeros((layer['rows'], 1)) if layer['isHead'] and rules['headAnchor'] == 'zero' else rows(layer, first)
def norms(layer, t):
    own = np.abs(t).sum(1)
    if method == 'l2-pgm' and not is_norm(layer): return np.full(len(t), np.sqrt((t ** 2).sum()))
    return np.full(len(t), own.max()) if rules['projection'] == 'matrix-radial' and not is_norm(layer) else own
def radii(layer):
    own = layer['radius'] if rules['depthFactor'] != 1 else rules['classifier'] if layer['isHead'] else rules['extractor']
    return own * (norms(layer, rows(layer, first)) if rules['relative'] and not layer['isHead'] else np.ones(layer['rows']))
def project(layer, t):
    bound, size = radii(layer), norms(layer, t)
    if rules['projection'] != 'row-l1-exact' or method == 'l2-pgm' or is_norm(layer): return t * np.minimum(1, bound / np.maximum(size, 1e-30))[:, None]
    ordered = -np.sort(-np.abs(t), 1)  # Duchi et al. 2008, figure 1
    level = (np.cumsum(ordered, 1) - bound[:, None]) / np.arange(1, t.shape[1] + 1)
    theta = level[np.arange(len(t)), (ordered > level).sum(1) - 1][:, None]
    return np.where((size <= bound)[:, None], t, np.sign(t) * np.maximum(np.abs(t) - theta, 0))
# 5. The published weights are as far from the pre-trained ones as the run says, and within their radii; so they were after every epoch.
published, bounded, largest, wrong = tensors(run / 'weights.safetensors'), [one for one in distances if one['radius'] is not None], 0, []
for layer in [one for one in distances if first and (not one['isHead'] or rules['headAnchor'] == 'zero' or first is not start)]:
    t = rows(layer, published) - anchor(layer)
    for key, value in {'mars': np.abs(t).sum(1).max(), 'frobenius': np.sqrt((t ** 2).sum())}.items():
        if abs(value - layer[key]) > 1e-5 * value + 1e-5: wrong.append(f'{layer["layer"]}: {key} distance {value:.7g}, the run says {layer[key]:.7g}')
    share = norms(layer, t) / radii(layer) if layer in bounded else np.zeros(1)
    if share.max() > 1 + 2e-5: wrong.append(f'{layer["layer"]}, row {share.argmax()}: distance/radius {share.max():.7f}')
    largest = max(largest, share.max())
epochs = [(line['epoch'], {one['layer']: one for one in line['layers']}) for line in log if line['type'] == 'distances']
key = lambda layer: 'frobenius' if method == 'l2-pgm' and not is_norm(layer) else 'mars'
wrong += [f'epoch {epoch}, {one["layer"]}: beyond its radius' for epoch, own in epochs for one in bounded if own[one['layer']][key(one)] > one['radius'] * (1 + 2e-5)]
report('distances', wrong, f'{len(distances)} layers, {len(bounded)} bounded, largest distance/radius {largest:.7f}; {len(epochs)} epochs' if first else 'not compared: no start')
# 6. Each recorded step: SGD's formula on the recorded gradient, then the projection's closed form.
is_plain = optimizer['name'] == 'sgd' and optimizer['headScale'] == optimizer['layerDecay'] == 1 and method not in ('ftp', 'spd')
for step, state in steps if is_plain and (first or not bounded) else []:
    before, after, gradient = (part(state, prefix) for prefix in ('before/model/', 'after/model/', 'gradient/'))
    made, wrong = {name: before[name] for name in gradient}, []
    for name, at, number in [(one['name'], one['offset'], i) for i, arena in enumerate(step['arenas']) for one in arena['members'] if one['name'] in step['trainable']]:
        d = gradient[name] + optimizer['weightDecay'] * before[name]
        v = d + optimizer['momentum'] * (step['optimizerStep'] > 0) * state[f'before/optimizer/velocity.{number}'][at:at + d.size].reshape(d.shape)
        made[name] = before[name] - step['learningRate'] * (d + optimizer['momentum'] * v if optimizer['nesterov'] else v)
    for layer in [one for one in bounded if one['layer'] + '.weight' in step['trainable']]:
        name = layer['layer'] + '.weight'
        moved = anchor(layer) + project(layer, rows(layer, {**after, name: made[name]}) - anchor(layer))
        made[name] = (moved * spread(layer, after)).reshape(after[name].shape)
    for name, expected in made.items():
        off = np.abs(after[name] - expected) - 1e-5 * (np.abs(expected) + np.abs(before[name])) - 1e-8
        if off.max() > 0: wrong.append(f'{name}: {after[name].flat[off.argmax()]:.8g} instead of {expected.flat[off.argmax()]:.8g}')
    report(f'step {step["step"]}', wrong, f'{len(gradient)} parameters are where formula and projection put them')
sys.exit(1 if failures else 0)
