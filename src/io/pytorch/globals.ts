/**
 * What the pickle of a PyTorch file may import: the names that `torch.load(weights_only=True)` allows
 * (torch/_weights_only_unpickler.py), as far as dense tensors need them, and `argparse.Namespace`, in which the training scripts of
 * timm and torchvision keep their arguments beside the weights. Each stands for a function of this file.
 */
import { ELEMENTS, type FileElement } from '../elements.ts';
import { quote, WeightFileError } from '../errors.ts';
import { StorageWindow, type TensorCollector } from './tensors.ts';
import { Attributes, PickleCallable, type PickleHost } from './unpickler.ts';

/** The storage classes `torch.FloatStorage` and so on; in a persistent id they say the element type. */
export class StorageType {
  readonly element: FileElement;

  constructor(element: FileElement) {
    this.element = element;
  }
}

const STORAGE_TYPES: Readonly<Record<string, FileElement>> = {
  DoubleStorage: 'f64',
  FloatStorage: 'f32',
  HalfStorage: 'f16',
  BFloat16Storage: 'bf16',
  LongStorage: 'i64',
  IntStorage: 'i32',
  ShortStorage: 'i16',
  CharStorage: 'i8',
  ByteStorage: 'u8',
  BoolStorage: 'bool',
};

/** The dtypes of `_rebuild_tensor_v3`, which stand as values in a pickle too: there they become their name. */
const DTYPES = new Map<unknown, FileElement>([
  ['torch.float64', 'f64'],
  ['torch.float32', 'f32'],
  ['torch.float16', 'f16'],
  ['torch.bfloat16', 'bf16'],
  ['torch.int64', 'i64'],
  ['torch.int32', 'i32'],
  ['torch.int16', 'i16'],
  ['torch.int8', 'i8'],
  ['torch.uint32', 'u32'],
  ['torch.uint16', 'u16'],
  ['torch.uint8', 'u8'],
  ['torch.bool', 'bool'],
]);

type Call = PickleCallable['call'];

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** Bytes of a string of characters up to 255. */
function latin1Bytes(text: string): Uint8Array | null {
  const codes = Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  return codes.every((code) => code < 256) ? Uint8Array.from(codes) : null;
}

function makeContainers(fail: (problem: string) => never): Record<string, Call> {
  const bad = (name: string): never =>
    fail(`is damaged: its pickle calls '${name}' with arguments that PyTorch never writes.`);
  return {
    'collections.OrderedDict': ([pairs = [], ...rest]) => {
      if (!Array.isArray(pairs) || rest.length > 0) return bad('collections.OrderedDict');
      const isPair = (pair: unknown): boolean => Array.isArray(pair) && pair.length === 2;
      return pairs.every(isPair) ? new Map(pairs) : bad('collections.OrderedDict');
    },
    'collections.Counter': ([counts]) => (counts instanceof Map ? new Map(counts) : bad('collections.Counter')),
    'builtins.set': ([items]) => (Array.isArray(items) ? new Set(items) : bad('builtins.set')),
    'builtins.bytearray': ([content]) => {
      if (content === undefined) return new Uint8Array(0);
      if (content instanceof Uint8Array) return content;
      return (typeof content === 'string' ? latin1Bytes(content) : null) ?? bad('builtins.bytearray');
    },
    '_codecs.encode': ([text, encoding]) =>
      (typeof text === 'string' && encoding === 'latin1' ? latin1Bytes(text) : null) ?? bad('_codecs.encode'),
    'argparse.Namespace': (args) => (args.length === 0 ? new Attributes() : bad('argparse.Namespace')),
    'torch.Size': ([sizes]) => (isCounts(sizes) ? [...sizes] : bad('torch.Size')),
    'torch.device': ([type, index]) =>
      typeof type === 'string' ? type + (typeof index === 'number' ? `:${index}` : '') : bad('torch.device'),
  };
}

function makeTensorFunctions(tensors: TensorCollector): Record<string, Call> {
  const rebuild = (name: string, args: readonly unknown[], dtype: unknown, label: string | undefined): unknown => {
    const [window, offset, shape, stride] = args;
    if (!(window instanceof StorageWindow) || !isCounts([offset]) || !isCounts(shape) || !isCounts(stride)) {
      return tensors.fail(`is damaged: its pickle calls '${name}' with arguments that PyTorch never writes.`);
    }
    const element = dtype === undefined ? window.element : DTYPES.get(dtype);
    if (element === undefined) return tensors.fail('is damaged: it holds a tensor without a known dtype.');
    return tensors.tensor({ window, element, offset: offset as number, shape, stride }, label);
  };
  const refuseMetadata = (metadata: unknown): void => {
    if (metadata === undefined || metadata === null || (metadata instanceof Map && metadata.size === 0)) return;
    tensors.fail('holds a tensor that is marked as a lazy negation or conjugate; save it after resolve_neg().');
  };
  const parameter: Call = ([data]) => data;
  return {
    'torch._utils._rebuild_tensor': (args, label) => rebuild('_rebuild_tensor', args, undefined, label),
    'torch._utils._rebuild_tensor_v2': (args, label) => {
      refuseMetadata(args[6]);
      return rebuild('_rebuild_tensor_v2', args, undefined, label);
    },
    'torch._utils._rebuild_tensor_v3': (args, label) => {
      refuseMetadata(args[7]);
      return rebuild('_rebuild_tensor_v3', args, args[6] ?? null, label);
    },
    'torch._utils._rebuild_parameter': parameter,
    'torch._utils._rebuild_parameter_with_state': parameter,
    // (function, class, its arguments, attributes): the class and the attributes are Python's only.
    'torch._tensor._rebuild_from_type_v2': ([make, , args], label) =>
      make instanceof PickleCallable && Array.isArray(args)
        ? make.call(args, label)
        : tensors.fail("is damaged: its pickle calls '_rebuild_from_type_v2' without a function."),
  };
}

function refuse(module: string, name: string, source: string): never {
  const written = `${module}.${name}`;
  // os.system and its like pickle under the name of the platform's own module.
  const known = module === 'posix' || module === 'nt' ? `os.${name}` : written;
  const alias = known === written ? '' : ` (as ${quote(written)})`;
  throw new WeightFileError(
    source,
    `the file wants to import ${quote(known)}${alias}; refused, because reading weights runs no code. ` +
      'If you trust its origin, load it in PyTorch and save only model.state_dict().',
  );
}

/** The allow-list, with tensors going to `tensors`; `load` resolves persistent ids. */
export function makeHost(source: string, tensors: TensorCollector, load: PickleHost['load']): PickleHost {
  const allowed = new Map<unknown, unknown>([...DTYPES.keys()].map((dtype) => [dtype, dtype]));
  for (const [name, element] of Object.entries(STORAGE_TYPES)) {
    allowed.set(`torch.${name}`, new StorageType(element));
    allowed.set(`torch.cuda.${name}`, new StorageType(element));
  }
  allowed.set('torch.storage.UntypedStorage', new StorageType('u8'));
  const classOnly: Call = () =>
    tensors.fail('is damaged: its pickle makes a tensor in a way that PyTorch never writes.');
  const functions = {
    ...makeContainers((problem) => tensors.fail(problem)),
    ...makeTensorFunctions(tensors),
    'torch.Tensor': classOnly,
    'torch._tensor.Tensor': classOnly,
    'torch.nn.parameter.Parameter': classOnly,
  };
  for (const [name, call] of Object.entries(functions)) allowed.set(name, new PickleCallable(name, call));
  return {
    resolve: (module, name) => {
      // Python 2's name of the module, which protocols up to 2 write.
      const path = `${module === '__builtin__' ? 'builtins' : module}.${name}`;
      return allowed.has(path) ? allowed.get(path) : refuse(module, name, source);
    },
    load,
  };
}

/** The window that a persistent id `('storage', type, key, location, count[, view])` names. The location (`cuda:0`) is Python's only. */
export function loadStorage(id: unknown, tensors: TensorCollector): StorageWindow {
  const [kind, type, key, , count, view] = Array.isArray(id) ? id : [];
  if (kind !== 'storage' || !(type instanceof StorageType) || typeof key !== 'string' || !isCounts([count])) {
    return tensors.fail('is damaged: its pickle refers to stored data in a way that PyTorch never writes.');
  }
  const width = ELEMENTS[type.element].bytes;
  const storage = tensors.storage(key, count, width);
  if (view === undefined || view === null) return new StorageWindow(storage, type.element, 0, storage.byteLength);
  // The legacy format's (key, offset, size) of a storage that is part of another.
  const [, offset, size] = Array.isArray(view) ? view : [];
  if (!isCounts([offset, size]) || (offset + size) * width > storage.byteLength) {
    return tensors.fail(`is damaged: a view reaches outside of its storage ${quote(key)}.`);
  }
  return new StorageWindow(storage, type.element, offset * width, size * width);
}
