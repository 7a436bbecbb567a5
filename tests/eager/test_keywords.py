"""Arguments by PyTorch's names: each call stands as a user of PyTorch writes it."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.eager.engine.spelling import NUMPYS, SPELLED

CALLS = """
    L.zeros(size=(2,3))
    L.ones(size=(2,))
    L.rand(size=(2,))
    L.randn(size=(2,))
    L.full(size=(2,),fill_value=3.)
    L.empty(size=(2,))
    L.randint(high=5,size=(2,))
    L.randint(low=1,high=5,size=(2,))
    L.randint_like(x,high=5)
    L.randperm(n=4)
    L.eye(n=3,m=2)
    L.arange(start=0,end=4,step=1)
    L.arange(end=4)
    L.linspace(start=0,end=1,steps=3)
    L.logspace(start=0,end=1,steps=3,base=2)
    x.expand(size=(4,2,3))
    x.view(size=(3,2))
    x.reshape(shape=(3,2))
    x.permute(dims=(1,0))
    x.transpose(dim0=0,dim1=1)
    x.tile(dims=(2,1))
    x.repeat(repeats=(2,1))
    L.tile(input=x,dims=(2,))
    x.flip(dims=(0,))
    x.roll(shifts=1,dims=0)
    x.split(split_size=1)
    L.split(tensor=x,split_size_or_sections=1,dim=0)
    x.chunk(chunks=2,dim=0)
    x.unbind(dim=0)
    x.squeeze(dim=0)
    x.unsqueeze(dim=0)
    x.flatten(start_dim=0,end_dim=1)
    x.unflatten(dim=0,sizes=(2,1))
    x.narrow(dim=0,start=0,length=1)
    x.select(dim=0,index=1)
    x.index_select(dim=0,index=i)
    x.gather(dim=0,index=ii)
    x.scatter(dim=0,index=ii,src=x)
    x.scatter(dim=0,index=ii,value=1.)
    x.scatter_add(dim=0,index=ii,src=x)
    x.masked_fill(mask=x>0,value=0.)
    x.masked_select(mask=x>0)
    x.index_add(dim=0,index=i,source=x[:1],alpha=2.)
    x.index_fill(dim=0,index=i,value=1.)
    x.index_copy(dim=0,index=i,source=x[:1])
    x.take(index=i)
    L.where(condition=x>0,input=x,other=x)
    x.clamp(min=0,max=1)
    x.amax(axis=0)
    x.amax(dim=0,keepdim=True)
    L.amax(input=x,dim=(0,1))
    L.max(input=x,dim=0)
    L.max(input=x,other=x)
    x.max(other=x)
    x.sum(axis=0,keepdims=True)
    x.sum(dim=0,dtype=L.float64)
    x.mean(axis=0)
    x.var(dim=0,unbiased=False)
    x.std(dim=0,correction=0)
    x.norm(p=2,dim=0,keepdim=True)
    L.norm(x,p='fro')
    L.norm(x,dtype=L.float64)
    x.sort(dim=0,descending=True,stable=True)
    x.argsort(dim=0,descending=True)
    x.topk(k=1,dim=0,largest=False,sorted=True)
    x.kthvalue(k=1,dim=0)
    x.median(dim=0)
    x.cumsum(dim=0)
    L.cat(tensors=[x,x],dim=0)
    L.cat([x,x],axis=0)
    L.cat((x,x),-1)
    L.stack(tensors=[x,x],dim=0)
    L.hstack(tensors=[x,x])
    L.matmul(input=x,other=x.t())
    L.mm(input=x,mat2=x.t())
    L.bmm(input=x[None],mat2=x.t()[None])
    L.addmm(input=x[:,:2],mat1=x,mat2=x.t()[:,:2],beta=1,alpha=2)
    L.addmm(x[:,:2],x,x.t(),beta=1)
    L.addmv(input=x[:,0],mat=x,vec=x[0])
    L.baddbmm(input=x[None,:,:2],batch1=x[None],batch2=x.t()[None])
    L.addcmul(input=x,tensor1=x,tensor2=x,value=.5)
    L.addcdiv(input=x,tensor1=x,tensor2=x,value=.5)
    L.lerp(input=x,end=x,weight=.5)
    L.add(input=x,other=x,alpha=2)
    L.pow(input=x,exponent=2)
    L.pow(self=2,exponent=x)
    L.div(x,x,rounding_mode='floor')
    L.einsum('ij->i',x)
    L.tensordot(a=x,b=x,dims=2)
    L.dot(input=x[0],tensor=x[0])
    L.outer(input=x[0],vec2=x[0])
    L.mv(input=x,vec=x[0])
    L.triu(input=x,diagonal=1)
    L.diag(input=x[0],diagonal=1)
    L.diagonal(input=x,offset=0,dim1=0,dim2=1)
    L.meshgrid(x[0],x[0],indexing='ij')
    L.bincount(input=i,weights=None,minlength=3)
    L.multinomial(input=x,num_samples=1,replacement=True)
    L.bernoulli(input=x*0,p=.5)
    L.normal(mean=0.,std=1.,size=(2,))
    L.nan_to_num(input=x,nan=0.,posinf=1.,neginf=0.)
    L.nn.functional.pad(input=x,pad=(1,1),mode='constant',value=0)
    L.nn.functional.interpolate(input=x[None,None],size=(4,6),mode='nearest')
    L.nn.functional.interpolate(x[None,None],scale_factor=2)
    L.unique(input=i,sorted=True,return_inverse=True,return_counts=True,dim=None)
    L.swapaxes(x,axis0=0,axis1=1)
    L.swapdims(x,dim0=0,dim1=1)
    L.movedim(x,source=0,destination=1)
    L.repeat_interleave(x,repeats=2,dim=0)
    L.softmax(x,dim=-1,dtype=L.float64)
    L.isclose(input=x,other=x,rtol=1e-3)
    L.logical_and(input=x,other=x)
    L.float_power(x,exponent=2)
    L.floor_divide(input=x,other=2)
    L.remainder(x,other=2)
    L.take_along_dim(x,indices=ii,dim=0)
    L.tensor(data=[1.],dtype=L.float32,device='cpu',requires_grad=True)
    L.from_numpy(x.numpy())
    L.full_like(input=x,fill_value=2)
    L.clip(x,min=0)
    x.to(dtype=L.float64,device='cpu',non_blocking=True,copy=True)
    x.type(dtype=L.float64)
    x.requires_grad_(requires_grad=True)
    x.squeeze(dim=(0,1))
    x.all(dim=0,keepdim=True)
    x.argmax(dim=0,keepdim=True)
    x.prod(dim=0)
    x.logsumexp(dim=0)
    x.cumsum(axis=0)
    x.unsqueeze(dim=-1)
    L.sum(input=x,dim=[0,1])
    L.std_mean(x,dim=0,unbiased=True,keepdim=True)
    x.random_(0,to=5)
    x.clone().normal_(mean=0,std=1)
    x.clone().fill_(value=1)
    x.clone().clamp_(min=0)
    x.clone().add_(other=x,alpha=2)
    x.clone().mul_(other=2)
    x.clone().addcmul_(tensor1=x,tensor2=x,value=1)
    x.clone().masked_fill_(mask=x>0,value=1)
    x.clone().scatter_(dim=0,index=ii,value=1)
    x.clone().index_add_(dim=0,index=i,source=x[:1])
    L.autograd.grad(outputs=(r*2).sum(),inputs=r,only_inputs=True,retain_graph=True)
    L.autograd.grad(outputs=(r*2),inputs=[r],grad_outputs=L.ones(2),create_graph=True,allow_unused=True)
    L.searchsorted(x[0].sort()[0],x[0],right=True)
    x.stride(dim=0)
    x.size(dim=0)
    x.dim()
    L.nn.functional.softmax(input=x,dim=1)
    L.nn.functional.cross_entropy(input=x,target=i.repeat(2),reduction='mean',label_smoothing=.1)
    L.nn.functional.layer_norm(input=x,normalized_shape=(3,),weight=None,bias=None,eps=1e-5)
    L.nn.functional.dropout(input=x,p=.5,training=False,inplace=False)
    L.nn.functional.relu(input=x,inplace=False)
    L.nn.functional.linear(input=x,weight=x,bias=None)
    L.nn.functional.normalize(input=x,p=2.0,dim=1,eps=1e-12)
    L.nn.functional.cosine_similarity(x1=x,x2=x,dim=1)
    L.set_grad_enabled(mode=True)
    L.manual_seed(seed=0)
    L.broadcast_to(x,size=(2,2,3))
    L.allclose(input=x,other=x)
    L.equal(input=x,other=x)
    L.trace(input=x[:,:2])
    L.numel(input=x)
    L.vstack(tensors=(x,x))
    L.argsort(input=x,dim=1)
    L.sigmoid(input=x)
    L.rsub(x,other=1)
""".strip().splitlines()
DRAWN = ("rand", "bernoulli", "multinomial", "normal", "L.empty", "manual_seed")


def _result(library: Any, call: str) -> Any:
    x = library.arange(6.0).reshape(2, 3) / 6
    names = {
        "L": library, "x": x, "i": library.tensor([0]), "r": library.ones(2, requires_grad=True),
        "ii": library.zeros(2, 3, dtype=library.int64),
    }  # fmt: skip
    return eval(call, names)


@pytest.mark.parametrize("call", [c.strip() for c in CALLS])
def test_a_call_by_pytorchs_names_is_taken(call: str) -> None:
    _result(gc, call)


@pytest.mark.parity
def test_calls_by_name_give_what_pytorchs_give() -> None:
    torch = pytest.importorskip("torch")
    for call in CALLS:
        if not any(word in call for word in DRAWN):
            _same(call, _result(gc, call.strip()), _result(torch, call.strip()))


def _same(call: str, found: Any, wanted: Any) -> None:
    if isinstance(wanted, tuple | list):
        for part, other in zip(found, wanted, strict=True):
            _same(call, part, other)
    elif hasattr(wanted, "detach"):
        assert repr(found.dtype).split(".")[1] == repr(wanted.dtype).split(".")[1], call
        part, other = found.detach().numpy(), wanted.detach().numpy()
        np.testing.assert_allclose(part, other, rtol=1e-5, atol=1e-6, err_msg=call)
    elif isinstance(wanted, bool | int | float):
        assert found == wanted, call


# What PyTorch's own forms have besides: memory that we have not, and what code generators use.
BESIDES = {
    "self", "layout", "pin_memory", "names", "out", "memory_format", "generator", "out_dtype",
    "path", "item", "filename", "scalar", "scalar1", "scalar2", "tensor1", "dims_self",
    "dims_other", "train", "reverse", "separator", "b", "cudnn_enable", "cudnn_enabled",
}  # fmt: skip
# Arguments that stand one by one in front: they have no names.
LISTED = {"addbmm", "addmm", "addmv", "baddbmm", "einsum", "result_type", "broadcast_shapes"}


@pytest.mark.parity
def test_functions_have_the_names_of_pytorchs_own_signatures() -> None:
    torch = pytest.importorskip("torch")
    missing = {}
    for name in gc.__all__:
        own, theirs = getattr(gc, name), getattr(torch, name, None)
        if not callable(own) or not callable(theirs) or isinstance(theirs, type) or name in LISTED:
            continue
        taken = {*inspect.signature(getattr(own, "form", own)).parameters, *NUMPYS}
        taken |= {*inspect.signature(own).parameters, *SPELLED.get(name, ())}
        taken |= {"other"} if {"x", "y"} <= taken else set()
        absent = _wanted(torch, name) - taken - BESIDES
        if absent:
            missing[name] = sorted(absent)
    assert not missing


def _wanted(torch: Any, name: str) -> set[str]:
    """The arguments of all forms of a function of tensors."""
    found: set[str] = set()
    for schema in torch._C._jit_get_schemas_for_operator(f"aten::{name}"):
        given = schema.arguments
        if "Tensor" in str(given[0].type) if given else False:
            found |= {a.name for a in given if not a.is_out}
    return found
