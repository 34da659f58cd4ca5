import jax, jax.numpy as jnp
from jax.scipy.special import betaln, digamma
def beta_log_prob(a,b,z): return (a-1)*jnp.log(z)+(b-1)*jnp.log1p(-z)-betaln(a,b)
def beta_kl_to_uniform(a,b): return -betaln(a,b)+(a-1)*digamma(a)+(b-1)*digamma(b)-(a+b-2)*digamma(a+b)
def sample_beta(key,a,b,shape=()): return jax.random.beta(key,a,b,(*shape,*a.shape)).clip(1e-6,1-1e-6)
