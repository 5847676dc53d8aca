"""Checks a run folder of marsgrad with nothing of marsgrad: Python 3 and NumPy. The format is told in docs/audit.md.

    python3 check_run.py RUN [WEIGHTS.safetensors]    the second: the pre-trained weights, where config.json's path is not theirs any more
"""
import hashlib, json, pathlib, struct, sys
import numpy as np

run = pathlib.Path(sys.argv[1])
failed = []

def report(name, problems, text):
    failed.extend(problems)
    print(f'{"FAIL" if problems else "pass"}  {name}: {"; ".join(problems[:3]) if problems else text}')

def sha256(data):
    return hashlib.sha256(data).hexdigest()

def tensors(path):
    """A safetensors file: 8 bytes length of the header, the header as JSON, the values. Floats as float64."""
    data = path.read_bytes()
    size = struct.unpack('<Q', data[:8])[0]
    types = {'F32': '<f4', 'F64': '<f8', 'I32': '<i4', 'I64': '<i8', 'U8': 'u1', 'BOOL': '?'}
    entries = {name: entry for name, entry in json.loads(data[8:8 + size]).items() if name != '__metadata__'}
    def values(entry):
        begin, end = (8 + size + at for at in entry['data_offsets'])
        array = np.frombuffer(data[begin:end], types[entry['dtype']]).reshape(entry['shape'])
        return array.astype(np.float64) if entry['dtype'][0] == 'F' else array
    return {name: values(entry) for name, entry in entries.items()}

def skip(name, why):
    print(f'skip  {name}: {why}')

# 1. The log's chain: each line holds the digest of the one before it, the first that of config.json.
config = json.loads((run / 'config.json').read_bytes())
lines = (run / 'log.ndjson').read_bytes().split(b'\n')[:-1]
digests = [sha256((run / 'config.json').read_bytes())] + [sha256(line) for line in lines]
log = [json.loads(line) for line in lines]
broken = [f'line {i + 1} does not follow the one before it' for i, one in enumerate(log) if one['previous'] != digests[i]]
summary = log[-1]
if summary['type'] != 'summary': broken.append('the last line is no summary: the run is not complete')
report('log chain', broken, f'{len(lines)} lines, each with the digest of the one before')

# 2. Files whose digests the log holds: the results in its last line, the records in theirs.
files = [(name, digest) for line in log for name, digest in line.get('files', {}).items()]
wrong = [f'{name} is not the file of the run' for name, digest in files if sha256((run / name).read_bytes()) != digest]
report('file digests', wrong, f'{len(files)} files are those of the log')

# 3. The recorded accuracy and loss, counted again from the stored logits.
predictions, test = tensors(run / 'predictions.safetensors'), summary['test']
logits, labels = predictions['logits'], predictions['labels']
own = logits[np.arange(len(labels)), labels]
top1 = float(np.mean(np.argmax(logits, axis=1) == labels))
loss = float(np.mean(np.log(np.sum(np.exp(logits - logits.max(1, keepdims=True)), 1)) + logits.max(1) - own))
wrong = [f'top-1 is {top1}, the log says {test["top1"]}'] if abs(top1 - test['top1']) > 1e-9 else []
wrong += [f'the loss is {loss}, the log says {test["loss"]}'] if abs(loss - test['loss']) > 1e-5 * max(1, loss) else []
report('accuracy', wrong, f'top-1 {100 * top1:.2f} %, loss {loss:.4f}, from {len(labels)} stored predictions')

# 4. Distances from the pre-trained weights, computed again, against what the run says and against its radii.
settings = config['settings']['regularization']
distances = json.loads((run / 'distances.json').read_bytes())
weights, source = tensors(run / 'weights.safetensors'), config['inputs']['weights']
path = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else source['path'] if source else '')

def moved(layer, now, anchor):
    """Rows of W - W0 (BatchNorm: of gamma / sqrt(var + 1e-6), one entry each); the classifier's W0 is zero."""
    key = layer['layer'] + '.weight'
    if layer['kind'] == 'batchNorm2d':
        scale = lambda state: state[key] / np.sqrt(state[layer['layer'] + '.running_var'] + 1e-6)
        return (scale(now) - scale(anchor)).reshape(-1, 1)
    origin = 0 if layer['isHead'] and settings['headAnchor'] == 'zero' else anchor[key]
    return (now[key] - origin).reshape(layer['rows'], -1)

if path.suffix != '.safetensors' or not path.exists():
    skip('distances', f'the pre-trained weights {path} are not here as safetensors')
elif source and sha256(path.read_bytes()) != source['sha256']:
    report('distances', [f'{path} is not the weight file that the run began with'], '')
else:
    anchor, wrong, largest = tensors(path), [], 0
    bounded = 'frobenius' if settings['method'] == 'l2-pgm' else 'mars'
    for layer in distances:
        rows = moved(layer, weights, anchor)
        found = {'mars': np.abs(rows).sum(1).max(), 'frobenius': np.sqrt((rows ** 2).sum())}
        if layer['kind'] == 'batchNorm2d': bounded_value = found['mars']  # clipped entry by entry under either norm
        else: bounded_value = found[bounded]
        for norm, value in found.items():
            if abs(value - layer[norm]) > 1e-4 * max(value, 1e-2):
                wrong.append(f'{layer["layer"]}: {norm} distance {value:.6g}, the run says {layer[norm]:.6g}')
        if layer['radius'] is not None:
            radius = settings['classifier'] if layer['isHead'] else settings['extractor']
            largest = max(largest, bounded_value / layer['radius'])
            if not settings['relative'] and settings['depthFactor'] == 1 and layer['radius'] != radius:
                wrong.append(f'{layer["layer"]}: radius {layer["radius"]}, the settings say {radius}')
            if bounded_value > layer['radius'] * (1 + 1e-5):
                wrong.append(f'{layer["layer"]}: distance {bounded_value:.8g} is beyond the radius {layer["radius"]:.8g}')
    report('distances', wrong, f'{len(distances)} layers, largest distance/radius {largest:.6f}' if largest else f'{len(distances)} layers, none bounded')

# 5. The same bound after every epoch, as the log tells it.
radii = {layer['layer']: layer for layer in distances if layer['radius'] is not None}
