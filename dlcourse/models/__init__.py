"""Architectures as Flax Linen modules, one architecture (or one small family) a file."""

from dlcourse.models import activations as activations
from dlcourse.models import backpropagation as backpropagation
from dlcourse.models import initializers as initializers
from dlcourse.models import logistic_regression as logistic_regression
from dlcourse.models import neuron as neuron
from dlcourse.models.alexnet import AlexNet as AlexNet
from dlcourse.models.alexnet import AlexNetCIFAR as AlexNetCIFAR
from dlcourse.models.cifar import CIFARModel1 as CIFARModel1
from dlcourse.models.cifar import CIFARModel2 as CIFARModel2
from dlcourse.models.cifar import CIFARModel3 as CIFARModel3
from dlcourse.models.cnn import CNN as CNN
from dlcourse.models.convolution import Conv as Conv
from dlcourse.models.gan import Discriminator as Discriminator
from dlcourse.models.gan import Generator as Generator
from dlcourse.models.lenet import LeNet5 as LeNet5
from dlcourse.models.mlp import MLP as MLP
from dlcourse.models.polynomial import Polynomial as Polynomial
from dlcourse.models.q_network import QNetwork as QNetwork
from dlcourse.models.resnet import ResNet as ResNet
from dlcourse.models.resnet import ResNet18 as ResNet18
from dlcourse.models.resnet import ResNet20 as ResNet20
from dlcourse.models.resnet import ResNet32 as ResNet32
from dlcourse.models.resnet import ResNet34 as ResNet34
from dlcourse.models.resnet import ResNet50 as ResNet50
from dlcourse.models.resnet import ResNet56 as ResNet56
from dlcourse.models.unet import UNet as UNet
